"""The bundle: nothing is lost on the way out and in, and nothing wrong or newer is overwritten."""

import html
import re
import shutil
import stat
import warnings
import zipfile
from datetime import date
from pathlib import Path

import content
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yidian.answers.models import Answer, Question
from yidian.editorial.models import Correction, Illustration
from yidian.encyclopedia.models import Article, Condition
from yidian.evidence.models import Appearance, Source
from yidian.exchange.archive import BundleError, open_bundle, write_bundle
from yidian.exchange.bundle import export_bundle, import_bundle, remove_brought
from yidian.exchange.check import check_bundle
from yidian.exchange.documents import KINDS, read_file, written_document, written_list
from yidian.exchange.markdown import (
    MarkdownError,
    blocks_of_html,
    canonical_html,
    html_of_blocks,
    html_to_markdown,
    markdown_to_html,
)
from yidian.exchange.models import ImportedRecord
from yidian.exchange.pictures import picture_fault
from yidian.exchange.yaml_text import read_yaml, written_word
from yidian.people.models import Credential, Hospital, Physician
from yidian.publication.richtext import clean_html
from yidian.terms.models import GlossaryTerm

STARTER = Path(__file__).parent.parent / "src/yidian/starter/bundle"
DEMO = STARTER.parent / "demo"
HEADER = "format: yidian-bundle/1\ntitle: 测试\n"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, text in ({"bundle.yaml": HEADER} | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def bring(source, **options):
    said = []
    return str(import_bundle(source, report=said.append, **options)), said


# Markdown

MARKS = ["1. ", "2) ", "- ", "## ", "---", "***", "~~~", "    ", "{{claim: x}}", "::: for a", ":::", "[^a-b]", "[^"]
MARKS += ["![x](y)", "[a](/b/)", "&amp;", "&#42;", "<b>", "</p>", *"*_[]`#<>&!(){}\\:-+.~=|^/ \n12ab痛。　\xa0\"'"]
AWKWARD = st.one_of(st.sampled_from(MARKS), st.text(max_size=3))
TEXT = st.lists(AWKWARD, max_size=8).map("".join)
HREF = st.sampled_from(["", "", "", "/a/", "/a(b)/", '/x?a=1&b="2\\(', "/c d", "https://例.cn/_*"])


@st.composite
def inline(draw) -> str:
    written = ""
    for _ in range(draw(st.integers(0, 4))):
        part = html.escape(draw(TEXT))
        tags = draw(st.permutations(["b", "i", "a"]))
        for tag in tags[: draw(st.integers(0, 3))]:
            href = draw(HREF) if tag == "a" else ""
            part = f'<a href="{html.escape(href)}">{part}</a>' if tag == "a" else f"<{tag}>{part}</{tag}>"
        written += part
    return written


ITEMS = st.lists(inline().map("<li>{}</li>".format), max_size=3).map("".join)
BLOCK = st.one_of(inline().map("<p>{}</p>".format), ITEMS.map("<ul>{}</ul>".format), ITEMS.map("<ol>{}</ol>".format))


@settings(max_examples=300, deadline=None)
@given(st.lists(BLOCK, max_size=4).map("".join))
def test_stored_text_survives_markdown(written):
    stored = canonical_html(written)
    assert clean_html(stored) == stored
    assert canonical_html(stored) == stored
    assert markdown_to_html(html_to_markdown(stored)) == stored
    # canonical means: what a reader reads is still all there
    shown = re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", html.unescape(clean_html(written)).replace("\xa0", "")))
    assert shown or not re.sub(r"\s", "", html_to_markdown(stored).replace("\xa0", ""))


SIMPLE = st.text(alphabet="痛，。：:、 a1(/;=~-…—“！#&*<[_\u3000", max_size=6).map("腿{}".format)


@settings(max_examples=300, deadline=None)
@given(st.lists(SIMPLE, min_size=1, max_size=3))
def test_what_is_written_without_a_parser_is_what_a_parser_makes_of_it(lines):
    stored = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    assert canonical_html(stored) == html_of_blocks(blocks_of_html(stored))
    assert markdown_to_html(html_to_markdown(stored)) == canonical_html(stored)
    for line in lines:
        line = line.strip(" ")
        assert read_yaml(f"a: {written_word(line)}").value["a"].value == line
        assert read_yaml(f"[{written_word(line, in_flow=True)}, b]").value[0].value == line


@settings(max_examples=600, deadline=None)
@given(st.lists(AWKWARD, max_size=12).map("".join))
def test_markdown_survives_storing(text):
    try:
        stored = markdown_to_html(text)
    except MarkdownError as error:
        assert 1 <= error.line <= text.count("\n") + 1
        return
    written = html_to_markdown(stored)
    assert markdown_to_html(written) == stored
    assert html_to_markdown(markdown_to_html(written)) == written


@pytest.mark.parametrize(
    ("markdown", "stored"),
    [
        ("**不要停药。**去问医生", "<p><b>不要停药。</b>去问医生</p>"),
        ("***很*重要**", "<p><b><i>很</i>重要</b></p>"),
        ("看[维基](https://x.cn/a_(b))。", '<p>看<a href="https://x.cn/a_(b)">维基</a>。</p>'),
        ("p<0.05，见[^lu-2014]。", "<p>p&lt;0.05，见[^lu-2014]。</p>"),
        ("- 一\n- 二\n\n1. 甲\n2. 乙", "<ul><li>一</li><li>二</li></ul><ol><li>甲</li><li>乙</li></ol>"),
        (r"\## 不是标题", "<p>## 不是标题</p>"),
        (r"\{{claim: x}}", "<p>{{claim: x}}</p>"),
        (r"2012\. 年", "<p>2012. 年</p>"),
        (r"快\![去](/a/)", '<p>快!<a href="/a/">去</a></p>'),
    ],
)
def test_markdown_is_read_and_written_alike(markdown, stored):
    assert markdown_to_html(markdown) == stored
    assert markdown_to_html(html_to_markdown(stored)) == stored


@pytest.mark.parametrize(
    ("markdown", "line", "said"),
    [
        ("好\n\n<b>坏</b>", 3, "HTML"),
        ("好\n\n## 标题", 3, "标题"),
        ("一\n二", 2, "空一行"),
        ("  缩进", 1, "行首"),
        ("*没有收尾", 1, "星号"),
        ("[字](javascript:x)", 1, "站内链接"),
        ("[字](//evil.cn/)", 1, "站内链接"),
        ("[字](/a b)", 1, "空格"),
        ("![图](images/a.svg) 好", 1, "单独占一行"),
        ("> 引用", 1, "引用块"),
        ("- 一\n  - 二", 2, "行首"),
        ("- - 二", 1, "一层"),
        ("1. 一\n3. 三", 2, "2. "),
        ("`代码`", 1, "代码"),
        ("_强调_", 1, "*星号*"),
        ("a&nbsp;b", 1, "直接写"),
        ("* 一", 1, "- "),
        ("藏\u202e起来", 1, "控制字符"),
        (r"\[^lu-2014\]", 1, "引用出处"),
    ],
)
def test_markdown_outside_the_subset_is_refused(markdown, line, said):
    with pytest.raises(MarkdownError) as refused:
        markdown_to_html(markdown)
    assert refused.value.line == line
    assert said in refused.value.message


# Files

CONDITION = """---
name: 甲
kind: disease
description: 甲是一种病。
date_published: 2026-11-22
---

## 什么是甲 {overview}

多半不要紧。
"""


def with_line(text: str, old: str, new: str) -> bytes:
    assert old in text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"\xef\xbb\xbf" + CONDITION.encode(), 0, "BOM"),
        (CONDITION.encode("gb18030"), 0, "UTF-8"),
        (with_line(CONDITION, "name: 甲", "nmae: 甲"), 2, "没有这个字段"),
        (with_line(CONDITION, "kind: disease", "kind: disease\nkind: symptom"), 4, "写了两次"),
        (with_line(CONDITION, "kind: disease", "kind: illness"), 3, "disease、symptom"),
        (with_line(CONDITION, "kind: disease", "kind:"), 3, "空的"),
        (with_line(CONDITION, "kind: disease", "kind: [disease]"), 3, "不是列表"),
        (with_line(CONDITION, "2026-11-22", "2026-02-30"), 5, "不是日期"),
        (with_line(CONDITION, "2026-11-22", "22.11.2026"), 5, "不是日期"),
        (with_line(CONDITION, "date_published: 2026-11-22\n", ""), 2, "缺"),
        (with_line(CONDITION, "甲是一种病。", "长" * 161), 4, "最多 160 个字，现在有 161 个"),
        (with_line(CONDITION, "甲是一种病。", "&a 甲"), 4, "不能用 &"),
        (with_line(CONDITION, "甲是一种病。", "!!python/name:os.system 甲"), 4, "标签"),
        (with_line(CONDITION, "甲是一种病。", '"甲\\u202e"'), 4, "控制字符"),
        (with_line(CONDITION, "kind: disease", "kind: disease\nrelated: [Jia]"), 4, "网址拼音"),
        (with_line(CONDITION, "kind: disease", "kind: disease\nrelated: {a: b}"), 4, "列表"),
        (with_line(CONDITION, "{overview}", "{overwiev}"), 8, "没有“overwiev”"),
        (with_line(CONDITION, "## 什么是甲 {overview}", "## 什么是甲"), 8, "应写成"),
        (with_line(CONDITION, "## 什么是甲 {overview}", "开场白"), 8, "正文要从"),
        (with_line(CONDITION, "多半不要紧。", "{{claim x}}"), 10, "claim"),
        (with_line(CONDITION, "多半不要紧。", "::: for yunfu\n好。"), 10, "“:::”"),
        (with_line(CONDITION, "多半不要紧。", "![](images/a.svg)"), 10, "替代文字"),
        (CONDITION.encode().removeprefix(b"---\n"), 1, "---"),
        (b"---\nname: [\n---\n", 3, "YAML"),
        (b"x" * (2 * 1024 * 1024 + 1), 0, "太大"),
    ],
)
def test_a_wrong_document_is_refused_with_its_line(data, line, said):
    parsed = read_file("conditions/jia.md", data)
    assert (parsed.records, parsed.rejected) == ([], 1)
    assert any(problem.line == line and said in problem.message for problem in parsed.problems), [
        str(problem) for problem in parsed.problems
    ]


def test_a_right_document_is_read():
    parsed = read_file("conditions/jia.md", CONDITION.encode())
    assert (parsed.problems, parsed.rejected) == ([], 0)
    assert parsed.records[0].values["modules"][0]["body"] == [{"text": "<p>多半不要紧。</p>"}]
    assert written_document(KINDS["condition"], "jia", parsed.records[0].values) == CONDITION
    assert read_file("conditions/Jia_.md", CONDITION.encode()).rejected == 1


def test_a_wrong_record_of_a_list_leaves_the_others():
    text = "- {slug: a, name: 甲}\n- {slug: a, name: 乙}\n- {slug: B, name: 丙}\n- 丁\n"
    parsed = read_file("vocabulary/populations.yaml", text.encode())
    assert [record.key for record in parsed.records] == ["a"]
    assert {problem.line for problem in parsed.problems} == {2, 3, 4}
    assert parsed.rejected == 3


WORDS = st.one_of(
    st.sampled_from(
        ["null", "true", "2012", "1e3", "12:30", "'", '"', "@", "%", "[x]", "{", "=", "~", "*a", "&a", "!a"]
    ),
    st.sampled_from(["- a", "a: b", "a #b", "? a", "a, b"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), max_size=8),
)


@given(st.lists(WORDS, unique_by=lambda word: word.strip(), max_size=5), WORDS, st.lists(WORDS, max_size=3))
def test_yaml_keeps_every_word(names, name, lines):
    values = {"name": name.strip() or "名", "alternate_names": [word.strip() for word in names if word.strip()]}
    values["description"] = "\n".join(lines).strip()
    values = {key: value for key, value in values.items() if value}
    text = written_list(KINDS["population"], [("a", values)])
    parsed = read_file("vocabulary/populations.yaml", text.encode())
    assert [str(problem) for problem in parsed.problems] == []
    assert parsed.records[0].values == values
    assert written_list(KINDS["population"], [("a", parsed.records[0].values)]) == text


# Archives


def zipped(path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name, data in [("bundle.yaml", HEADER.encode()), *members]:
            archive.writestr(name, data)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("../conditions/jia.md", "指向包外"),
        ("/etc/passwd", "指向包外"),
        ("conditions/../../jia.md", "指向包外"),
        ("C:/jia.md", "指向包外"),
        (link("conditions/jia.md"), "符号链接"),
    ],
)
def test_a_zip_that_reaches_outside_is_refused(tmp_path, member, said):
    with pytest.raises(BundleError, match=said), open_bundle(zipped(tmp_path / "a.zip", [(member, b"x")])):
        pass


def test_zips_that_are_broken_doubled_or_locked_are_refused(tmp_path):
    doubled = zipped(tmp_path / "a.zip", [("conditions/a.md", b"x"), ("conditions/a.md", b"y")])
    with pytest.raises(BundleError, match="两个"), open_bundle(doubled):
        pass
    locked = zipped(tmp_path / "b.zip", [("conditions/a.md", b"x")])
    data = bytearray(locked.read_bytes())
    for mark in (b"PK\x01\x02", b"PK\x03\x04"):
        at = data.rindex(mark)
        data[at + (8 if mark == b"PK\x01\x02" else 6)] |= 1
    locked.write_bytes(data)
    with pytest.raises(BundleError, match="密码"), open_bundle(locked):
        pass
    broken = zipped(tmp_path / "c.zip", [("conditions/a.md", b"hello")])
    broken.write_bytes(broken.read_bytes().replace(b"hello", b"hallo"))
    with pytest.raises(BundleError, match="损坏"), open_bundle(broken) as files:
        files.read("conditions/a.md")
    with (
        pytest.raises(BundleError, match="太大"),
        open_bundle(zipped(tmp_path / "d.zip", [("articles/a.md", bytes(3 << 20))])),
    ):
        pass
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.yaml", HEADER * 99)
    data = bytearray((tmp_path / "f.zip").read_bytes())
    start = data.index(b"bundle.yaml") + len("bundle.yaml")
    data[start + 5 : start + 25] = b"\xff" * 20
    (tmp_path / "f.zip").write_bytes(data)
    with pytest.raises(BundleError, match="损坏"):
        import_bundle(tmp_path / "f.zip")
    (tmp_path / "e.zip").write_bytes(b"no zip")
    with pytest.raises(BundleError, match=r"不是文件夹，也不是"), open_bundle(tmp_path / "e.zip"):
        pass
    with pytest.raises(BundleError, match="没有找到"), open_bundle(tmp_path / "nothing"):
        pass


def test_a_zip_of_many_files_and_of_more_than_four_gigabytes_is_whole(tmp_path):
    path = tmp_path / "a.zip"
    with write_bundle(path) as writer:
        writer.write("bundle.yaml", HEADER.encode())
        for number in range(66_000):
            writer.write(f"questions/q{number:05}.md", b"q%d" % number)
        writer.file.flush()
        # a hole, which takes no room on the disk
        writer.at += 5 << 30
        writer.file.seek(writer.at)
        writer.write("redirects.yaml", b"far")
    with open_bundle(path) as files:
        assert len(files.names) == 66_002
        assert files.read("questions/q65999.md") == b"q65999"
        assert files.read("redirects.yaml") == b"far"
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("redirects.yaml").header_offset > 5 << 30
        assert archive.getinfo("bundle.yaml").external_attr >> 16 == stat.S_IFREG | 0o644


def test_a_zip_that_understates_its_size_is_cut_off(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.yaml", HEADER)
        archive.writestr("articles/a.md", bytes(5 << 20))
    data = path.read_bytes().replace((5 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(BundleError), open_bundle(path) as files:
        files.read("articles/a.md")


def test_a_folder_with_a_link_is_refused_and_a_strange_file_is_named(tmp_path):
    folder = write(tmp_path / "a", {"conditions/jia.md": CONDITION, "condition/yi.md": "x", ".git/config": "x"})
    with open_bundle(folder) as files:
        assert files.names == ["bundle.yaml", "conditions/jia.md"]
        assert [problem.file for problem in files.problems] == ["condition/yi.md"]
    (folder / "articles").symlink_to("/etc")
    with pytest.raises(BundleError, match="符号链接"), open_bundle(folder):
        pass


def test_a_folder_packed_whole_is_opened(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("encyclopedia/bundle.yaml", HEADER)
        archive.writestr("encyclopedia/conditions/jia.md", CONDITION)
        archive.writestr("__MACOSX/encyclopedia/._bundle.yaml", "x")
    with open_bundle(path) as files:
        assert files.names == ["bundle.yaml", "conditions/jia.md"]


# Pictures

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"{}>{}</svg>'


@pytest.mark.parametrize(
    "data",
    [
        SVG.format("", "<script>alert(1)</script>"),
        SVG.format(' onload="alert(1)"', ""),
        SVG.format("", "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>"),
        SVG.format("", '<a href="javascript:alert(1)"/>'),
        SVG.format("", '<use href="https://evil.cn/a.svg#b"/>'),
        SVG.format("", '<image href="data:image/png;base64,x"/>'),
        SVG.format("", "<style>@import url(https://evil.cn/)</style>"),
        SVG.format("", '<path style="fill:url(https://evil.cn/a)"/>'),
        SVG.format("", '<path fill="u\\72l(https://evil.cn)"/>'),
        SVG.format("", '<set attributeName="href" to="javascript:1"/>'),
        '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("", "&a;"),
        '<?xml-stylesheet href="https://evil.cn/a.css"?>' + SVG.format("", ""),
        "<html></html>",
        "<svg",
    ],
)
def test_an_svg_that_carries_more_than_a_drawing_is_refused(data):
    assert picture_fault("a.svg", data.encode())


def test_drawings_and_photographs_are_taken():
    from io import BytesIO

    from PIL import Image

    assert (
        picture_fault("a.svg", SVG.format("", '<path id="a" d="M0 0"/><use href="#a" fill="url(#b)"/>').encode())
        is None
    )
    made = BytesIO()
    Image.new("RGB", (3, 3)).save(made, "PNG")
    assert picture_fault("a.png", made.getvalue()) is None
    assert picture_fault("a.jpg", made.getvalue())
    assert picture_fault("a.png", made.getvalue()[:40])


# Import and export


@pytest.mark.django_db
def test_the_starter_bundle_comes_back_byte_for_byte(tmp_path):
    assert bring(STARTER)[0].endswith("0 updated, 0 unchanged, 0 rejected")
    export_bundle(tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(STARTER)
    counts, said = bring(STARTER)
    assert counts.startswith("0 created, 0 updated,")
    assert counts.endswith("0 rejected")
    assert said == []
    export_bundle(tmp_path / "a.zip")
    export_bundle(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert bring(tmp_path / "a.zip")[0].startswith("0 created, 0 updated,")


@pytest.mark.django_db
def test_the_bundles_in_the_package_have_no_faults():
    assert [str(problem) for problem in check_bundle(STARTER)] == []
    assert [str(problem) for problem in check_bundle(DEMO, [STARTER])] == []


def empty() -> None:
    Answer.objects.all().delete()
    for kind in reversed(KINDS.values()):
        kind.model.objects.all().delete()
    ImportedRecord.objects.all().delete()


@pytest.mark.django_db
def test_everything_an_editor_can_make_comes_back(tmp_path):
    """Every field of every kind filled, drafts among them, with text that looks like markup."""
    source, old = (
        content.source(),
        content.source("src-old", note="第一行\n\n- 第二行: #", origin="别处", licence="CC0"),
    )
    old.superseded_by = source
    old.save()
    claim = content.claim(sources=[source])
    part = content.body_part("tui", "腿")
    calf = content.body_part(broader=part, alternate_names="腿肚子\r\n小腿肚")
    people = content.population()
    content.term()
    hospital = content.hospital(grade_as_of=date(2026, 1, 2), description="  有空格: 和'引号'  ")
    doctor = content.physician(hospital=hospital, knows_about="xiaotui-choujin\nother")
    Credential.objects.create(physician=doctor, category="执业证", recognized_by="卫健委", expires=date(2030, 1, 1))
    tricky = content.text(
        '<p><b>不要停药。</b>去*问*医生 [^src-one] &lt;b&gt; <a href="/articles/a/">链<i>接</i></a></p>'
        "<p>## 不是标题</p><ul><li>1. 一</li><li>{{claim: x}}</li></ul>"
    )
    module = content.module(
        tricky,
        {"type": "claim", "value": claim.pk},
        {"type": "population", "value": {"population": people.pk, "text": "<p>:::</p>"}},
        headline="标题 {overview} \\",
    )
    wide = content.condition("aa", "甲", modules=[module], care_advice=[content.card()])
    narrow = content.condition("bb", "乙", broader=wide, alternate_names="俗名")
    wide.related.add(narrow)
    wide.codes.create(system="ICD-10", value="R25.2")
    for each in (wide, narrow):
        each.body_parts.add(calf)
        each.save()
    content.article(about=wide, author=doctor, keywords="一\n二, 三")
    step = {
        "name": "拉 {seconds: 9}",
        "text": "<p>慢慢</p>",
        "seconds": 30,
        "picture": {"image": None, "alt": "", "caption": ""},
    }
    phase = {"phase": "now", "headline": "现在", "steps": [step]}
    content.guide(do="要慢[^src-one]\n要稳", phases=[{"type": "phase", "value": phase}])
    question = content.question(answers=("<p>多数不是。</p>", "<p>另一个。</p>"), slug="qq", detail="第一段\r\n第二段")
    Answer.objects.filter(question=question).order_by("pk").last().unpublish()
    content.publish(
        Correction(name="小腿抽筋", page="/conditions/aa/", text="改了\n一处", date_published=date(2026, 1, 1))
    )
    draft = Article(slug="draft", name="草稿", description="还没写完。", live=False)
    draft.save()
    draft.description = "改过的草稿。"
    draft.save_revision()

    export_bundle(tmp_path / "one")
    out = files_of(tmp_path / "one")
    assert "改过的草稿。" in out["articles/draft.md"].decode()
    for name in ("articles/draft.md", "questions/qq.md"):
        assert out[name].decode().count("status: draft") == 1
        assert "identifier: " in out[name].decode()
    assert bring(tmp_path / "one")[0].startswith("0 created, 0 updated,")
    empty()
    counts, said = bring(tmp_path / "one")
    assert said == []
    assert counts.endswith("0 updated, 0 unchanged, 0 rejected")
    export_bundle(tmp_path / "two")
    assert files_of(tmp_path / "two") == out
    assert Condition.objects.get(slug="aa").live
    assert not Article.objects.get(slug="draft").live
    assert Condition.objects.get(slug="bb").broader.slug == "aa"
    assert bring(tmp_path / "one")[0].startswith("0 created, 0 updated,")


@pytest.mark.django_db
def test_an_exported_folder_follows_the_content(tmp_path):
    content.condition("aa", "甲")
    gone = content.condition("bb", "乙")
    export_bundle(tmp_path / "out")
    before = (tmp_path / "out/conditions/aa.md").stat().st_mtime_ns
    (tmp_path / "out/README.md").write_text("mine")
    gone.delete()
    export_bundle(tmp_path / "out")
    assert set(files_of(tmp_path / "out")) == {"bundle.yaml", "conditions/aa.md", "README.md"}
    assert (tmp_path / "out/conditions/aa.md").stat().st_mtime_ns == before
    write(tmp_path / "mine", {"notes.txt": "keep"})
    (tmp_path / "mine/bundle.yaml").unlink()
    with pytest.raises(BundleError, match="别的文件"):
        export_bundle(tmp_path / "mine")


@pytest.mark.django_db
def test_rejected_records_are_named_and_the_others_come_in(tmp_path):
    folder = write(
        tmp_path,
        {
            "conditions/jia.md": with_line(CONDITION, "多半不要紧。", "多半不要紧[^nobody-2012]。"),
            "conditions/yi.md": with_line(CONDITION, "kind: disease", "kind: disease\nbroader: jia"),
            "conditions/bing.md": with_line(CONDITION, "kind: disease", "kind: disease\nrelated: [ding]"),
            "conditions/ding.md": with_line(CONDITION, "kind: disease", "kind: disease\nbroader: bing"),
            "conditions/wu.md": with_line(CONDITION, "kind: disease", "kind: disease\nreviewed: 2026-01-01"),
            "conditions/ji.md": with_line(CONDITION, "kind: disease", "kind: disease\nlast_review_date: 2026-01-01"),
            "images/a.svg": SVG.format("", ""),
            "stray.txt": "x",
        },
    )
    counts, said = bring(folder)
    assert counts == "2 created, 0 updated, 0 unchanged, 6 rejected"
    assert Condition.objects.get(slug="ding").broader.slug == "bing"
    assert [each.slug for each in Condition.objects.get(slug="bing").related.all()] == ["ding"]
    text = "\n".join(said)
    for part in (
        "conditions/jia.md:10 citation: 没有这个出处：nobody-2012",
        "conditions/yi.md:4 broader: 它依靠的病症 jia 自己没有导入，请先改好 conditions/jia.md",
        "conditions/wu.md:4 reviewed: 没有这个字段",
        "conditions/ji.md:4 last_review_date:",
        "images/a.svg: images/images.yaml 里没有这张图",
        "stray.txt: 不是医典内容包里的文件",
    ):
        assert part in text
    assert bring(folder)[0] == "0 created, 0 updated, 2 unchanged, 6 rejected"


@pytest.mark.django_db
def test_an_import_never_overwrites_what_an_editor_changed_since(tmp_path):
    folder = write(tmp_path / "in", {"conditions/jia.md": CONDITION})
    assert bring(folder)[0].startswith("1 created")
    write(folder, {"conditions/jia.md": with_line(CONDITION, "甲是一种病。", "甲是一种常见病。")})
    assert bring(folder)[0].startswith("0 created, 1 updated")

    row = Condition.objects.get(slug="jia")
    row.description = "编辑写的。"
    content.publish(row)
    newer = with_line(CONDITION, "甲是一种病。", "作者写的。")
    write(folder, {"conditions/jia.md": newer})
    counts, said = bring(folder)
    assert counts == "0 created, 0 updated, 0 unchanged, 1 rejected"
    assert "改过" in said[0]
    assert Condition.objects.get(slug="jia").description == "编辑写的。"
    # once exported, the author has seen it
    export_bundle(tmp_path / "out")
    assert bring(folder)[0].startswith("0 created, 1 updated")
    assert Condition.objects.get(slug="jia").description == "作者写的。"
    assert Condition.objects.get(slug="jia").get_latest_revision_as_object().description == "作者写的。"

    row = Condition.objects.get(slug="jia")
    row.description = "还没公开。"
    row.save_revision()
    write(folder, {"conditions/jia.md": CONDITION})
    counts, said = bring(folder)
    assert counts.endswith("1 rejected")
    assert "还没公开" in said[0]
    assert bring(folder, overwrite=True)[0].startswith("0 created, 1 updated")
    row = Condition.objects.get(slug="jia")
    assert (row.description, row.has_unpublished_changes) == ("甲是一种病。", False)


@pytest.mark.django_db
def test_what_an_editor_made_is_not_taken_over_by_an_equal_slug(tmp_path):
    made = content.condition("jia", "甲")
    counts, _ = bring(write(tmp_path, {"conditions/jia.md": CONDITION}))
    assert counts == "0 created, 0 updated, 0 unchanged, 1 rejected"
    assert bring(tmp_path, overwrite=True)[0].startswith("0 created, 1 updated")
    assert Condition.objects.get(slug="jia").identifier == made.identifier


@pytest.mark.django_db
def test_a_dry_run_says_the_difference_and_writes_nothing(tmp_path):
    folder = write(tmp_path, {"conditions/jia.md": CONDITION})
    counts, said = bring(folder, dry_run=True)
    assert counts == "1 created, 0 updated, 0 unchanged, 0 rejected"
    assert said == ["新增 conditions/jia.md"]
    assert not Condition.objects.exists()
    assert not ImportedRecord.objects.exists()
    bring(folder)
    article = CONDITION.replace("kind: disease\n", "about: jia\n").replace("name: 甲", "name: 文")
    write(folder, {"conditions/jia.md": with_line(CONDITION, "不要紧", "没事"), "articles/wen.md": article})
    counts, said = bring(folder, dry_run=True)
    assert counts == "1 created, 1 updated, 0 unchanged, 0 rejected"
    assert {"-多半不要紧。", "+多半没事。", "新增 articles/wen.md"} <= set(said)
    assert "不要紧" in Condition.objects.get(slug="jia").modules[0].value["body"][0].value.source


@pytest.mark.django_db
def test_a_dry_run_of_a_whole_encyclopedia_finds_all_its_references():
    counts, said = bring(STARTER, dry_run=True)
    assert counts.endswith(", 0 updated, 0 unchanged, 0 rejected")
    assert not any("没有这个" in line for line in said)
    assert not Source.objects.exists()


@pytest.mark.django_db
def test_the_status_decides_what_readers_see(tmp_path):
    folder = write(tmp_path, {"conditions/jia.md": CONDITION})
    draft = with_line(CONDITION, "kind: disease", "kind: disease\nstatus: draft")
    write(folder, {"conditions/yi.md": draft})
    bring(folder, publish=True)
    shown, hidden = Condition.objects.get(slug="jia"), Condition.objects.get(slug="yi")
    assert (shown.live, bool(shown.first_published_at), bool(shown.rendered)) == (True, True, True)
    assert (hidden.live, hidden.first_published_at, hidden.rendered) == (False, None, None)
    write(folder, {"conditions/jia.md": draft})
    assert bring(folder)[0] == "0 created, 1 updated, 1 unchanged, 0 rejected"
    assert list(Condition.objects.public()) == []
    assert not Appearance.objects.filter(content_kind="condition").exists()


@pytest.mark.django_db
def test_pages_follow_what_they_show(tmp_path):
    claims = "- {slug: zhen, text: 真的吗？是的。, direction: supports, certainty: low, basis: general_knowledge}\n"
    term = "- {slug: ci, name: 不要紧, definition: 没事。}\n"
    folder = write(
        tmp_path,
        {
            "evidence/claims.yaml": claims,
            "vocabulary/glossary.yaml": term,
            "images/images.yaml": "- {file: a.svg, title: 图, alt: 一条线}\n",
            "images/a.svg": SVG.format(' width="9" height="9"', ""),
            "conditions/jia.md": with_line(
                CONDITION, "多半不要紧。", "多半不要紧。\n\n{{claim: zhen}}\n\n![线](images/a.svg)"
            ),
        },
    )
    assert bring(folder)[0] == "4 created, 0 updated, 0 unchanged, 0 rejected"
    shown = str(Condition.objects.get(slug="jia").rendered)
    old = Illustration.objects.get()
    assert old.file.url in shown
    write(
        folder,
        {
            "evidence/claims.yaml": claims.replace("真的吗", "当真吗"),
            "vocabulary/glossary.yaml": term.replace("没事", "放心"),
            "images/a.svg": SVG.format(' width="8" height="8"', ""),
        },
    )
    assert bring(folder)[0] == "0 created, 3 updated, 1 unchanged, 0 rejected"
    shown = str(Condition.objects.get(slug="jia").rendered)
    assert "当真吗" in shown
    assert "放心" in shown
    assert Illustration.objects.get().file.url in shown
    assert (Illustration.objects.get().width, Illustration.objects.get().pk) == (8, old.pk)
    assert bring(folder)[0] == "0 created, 0 updated, 4 unchanged, 0 rejected"


@pytest.mark.django_db
def test_answers_follow_their_file(tmp_path):
    question = CONDITION[: CONDITION.index("## ")].replace("kind: disease\n", "")
    two = question.replace(
        "\n---\n\n",
        "\nanswers:\n  - id: a1\n    date_created: 2026-01-01\n  - id: a2\n    date_created: 2026-01-02\n---\n\n",
    )
    folder = write(tmp_path, {"questions/q1.md": two + "## {answer: a1}\n\n一。\n\n## {answer: a2}\n\n二。\n"})
    bring(folder)
    assert [answer.slug for answer in Answer.objects.order_by("slug")] == ["q1-a1", "q1-a2"]
    assert Question.objects.get().lead_answer.slug == "q1-a2"
    one = two.replace("  - id: a2\n    date_created: 2026-01-02\n", "")
    write(folder, {"questions/q1.md": one + "## {answer: a1}\n\n新的。\n"})
    assert bring(folder)[0].startswith("0 created, 1 updated")
    assert [answer.excerpt for answer in Answer.objects.all()] == ["新的。"]
    write(folder, {"questions/q1.md": two + "## {answer: a1}\n\n一。\n\n## {answer: a3}\n\n二。\n"})
    assert bring(folder)[0].endswith("1 rejected")


@pytest.mark.django_db
def test_two_explanations_of_one_word_are_refused(tmp_path):
    content.term("ci", "腓肠肌")
    folder = write(tmp_path, {"vocabulary/glossary.yaml": "- {slug: other, name: 腓肠肌, definition: 别的。}\n"})
    counts, said = bring(folder)
    assert counts.endswith("1 rejected")
    assert "ci" in said[0]
    assert GlossaryTerm.objects.count() == 1


@pytest.mark.django_db
def test_a_newer_format_is_refused(tmp_path):
    write(tmp_path, {"bundle.yaml": "format: yidian-bundle/2\ntitle: 新\n"})
    with pytest.raises(BundleError, match="yidian-bundle/1"):
        import_bundle(tmp_path)


@pytest.mark.django_db
def test_the_demonstration_leaves_without_a_trace(tmp_path):
    bring(STARTER)
    before = files_of(STARTER)
    counts = bring(DEMO)[0]
    assert counts.endswith(" created, 0 updated, 0 unchanged, 0 rejected")
    title = re.search(r"title: (.+)", (DEMO / "bundle.yaml").read_text("utf-8"))[1]
    assert remove_brought(title) == int(counts.split()[0])
    assert not Physician.objects.exists()
    export_bundle(tmp_path / "out")
    assert files_of(tmp_path / "out") == before
    assert remove_brought(title) == 0


@pytest.mark.django_db
def test_removing_the_demonstration_keeps_what_others_made_or_need():
    bring(STARTER)
    bring(DEMO)
    title = re.search(r"title: (.+)", (DEMO / "bundle.yaml").read_text("utf-8"))[1]
    question = Question.objects.get(slug="b7k4x9qf")
    content.publish(Answer(question=question, date_created=date(2026, 1, 1), body=[content.text("<p>真的。</p>")]))
    said = []
    remove_brought(title, said.append)
    assert [each.slug for each in Question.objects.filter(slug__in=["b7k4x9qf", "h6z2g8vn"])] == ["b7k4x9qf"]
    assert any("改过" in line for line in said)
    assert {each.slug for each in Physician.objects.all()} == {"yanshi-yisheng-bing", "yanshi-yisheng-jia"}
    assert Hospital.objects.count() == 2


@pytest.mark.django_db
def test_linting_finds_what_an_author_should_change(tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(STARTER, folder)
    path = folder / "articles/datui-jirou-jingluan-de-zhuyao-yuanyin.md"
    text = path.read_text("utf-8")
    text = re.sub(r"care_advice:\n(?:  .*\n)+", "", text)
    text += "\n## 没有出处的一节 {evidence}\n\n看[这里](/conditions/meiyou/)。" + "很长" * 40 + "。\n"
    path.write_text(text, "utf-8")
    said = "\n".join(f"{problem.level} {problem}" for problem in check_bundle(folder))
    assert "error articles/datui-jirou-jingluan-de-zhuyao-yuanyin.md:" in said
    for part in ("/conditions/meiyou/ 打不开", "没有就医建议", "没有一处出处", "请拆成短句"):
        assert part in said


HARD = """---
name: 腿为什么抽筋
description: {description}
care_advice:
  - level: self_care
    heading: 在家可以做的
    items:
      - {item}
date_published: 2026-01-01
review_due: 2027-01-01
---

## 原因 {{causes}}

抽筋时，{body}[^general].
"""
GLOSSARY = "- slug: feichangji\n  name: 腓肠肌\n  definition: 小腿后面的大块肌肉。\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"body": "比目鱼肌绷紧"}, ["15 “比目鱼肌”"]),
        ({"body": "腓肠肌绷紧"}, []),
        ({"body": "[比目鱼肌](/)绷紧，比目鱼肌痛"}, ["15 “比目鱼肌”"]),
        ({"body": "比目鱼肌（小腿深处的肌肉）绷紧，比目鱼肌痛"}, []),
        ({"body": "小腿深处的肌肉（比目鱼肌）绷紧"}, []),
        ({"body": "小腿深处的这块肉叫“比目鱼肌”"}, []),
        ({"body": "查 EMG 和 CT"}, ["15 “EMG”"]),
        ({"body": "吃氯吡格雷"}, ["15 “吃氯吡格雷”"]),
        ({"item": "拉一拉股四头肌"}, ["5 care_advice “股四头肌”"]),
        ({"description": "多半是电解质乱了。"}, ["3 description “电解质”"]),
    ],
)
def test_linting_finds_hard_words_that_nothing_explains(tmp_path, changed, said):
    plain = {"description": "多半是肌肉累了。", "item": "慢慢把腿伸直", "body": "小腿绷紧"}
    source = "- slug: general\n  kind: book\n  title: 书\n  isbn: '1'\n"
    files = {"articles/a.md": HARD.format(**plain | changed), "evidence/sources.yaml": source}
    folder = write(tmp_path / "in", files | {"vocabulary/glossary.yaml": GLOSSARY})

    def warned(*beside) -> list[str]:
        found = check_bundle(folder, beside)
        return [f"{each.line} {each.field} {each.message.partition('多数')[0]}".replace("  ", " ") for each in found]

    assert warned() == said
    # a glossary beside the bundle explains as well as its own
    words = dict(enumerate(re.findall("“(.+)”", " ".join(said))))
    terms = "".join(f"- slug: a{n}\n  name: {word}\n  definition: 就是它。\n" for n, word in words.items())
    if terms:
        assert warned(write(tmp_path / "beside", {"vocabulary/glossary.yaml": terms})) == []


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example/", "data:text/html,a"])
def test_the_address_of_a_source_is_a_link_only_on_the_web(client, tmp_path, address):
    listed = f"- slug: yuan\n  kind: guideline\n  title: 指南\n  url: '{address}'\n"
    listed += "- slug: hao\n  kind: guideline\n  title: 指南\n  url: https://good.example/\n"
    assert bring(write(tmp_path, {"evidence/sources.yaml": listed}))[0].endswith("0 rejected")
    content.article(modules=[content.module(content.text("<p>累了[^yuan][^hao]。</p>"))])
    html = client.get("/articles/weishenme-choujin/").content.decode()
    assert address not in html and 'href="https://good.example/"' in html
