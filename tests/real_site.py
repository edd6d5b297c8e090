"""The whole site in processes of its own, with one of everything in it, for tests that need a real server.

Run as a program it fills the database of ``YIDIAN_DATA``.
"""

import atexit
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from server_process import ServerProcess

YIDIAN = "from yidian.cli.main import main; main(prog_name='yidian')"
ARTICLE = "/articles/ceshi-wenzhang/"


@cache
def filled() -> Path:
    """A data folder with content, made once a test process; copy it, never serve from it."""
    folder = Path(tempfile.mkdtemp(prefix="yidian-filled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = subprocess.run([sys.executable, __file__], env=environment(folder), capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder


def environment(data: Path, **more: str) -> dict[str, str]:
    """This process's environment with nothing of a developer's own site in it."""
    left = {name: value for name, value in os.environ.items() if not name.startswith("YIDIAN_")}
    left.pop("DATABASE_URL", None)
    left["DJANGO_SETTINGS_MODULE"] = "yidian.site.settings"
    tests = str(Path(__file__).parent)
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    return left | {"YIDIAN_DATA": str(data), "PYTHONPATH": path} | more


class RealSite(ServerProcess):
    """The site over a copy of ``filled()`` in ``data``; ``log`` is what the server wrote to standard error.

    ``settings`` is Python that stands after the product's own settings, for the control experiments.
    """

    def __init__(self, folder: Path, *, settings: str = "", data: Path | None = None):
        self.data = data or folder / "data"
        shutil.copytree(filled(), self.data, dirs_exist_ok=True)
        self.log_file = folder / "server.log"
        self.log_file.touch()
        self.choose_port()
        self.command = [sys.executable, "-c", YIDIAN, "serve", "--port", str(self.port)]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.env = environment(self.data, YIDIAN_ORIGIN=self.origin)
        if settings:
            (folder / "more_settings.py").write_text(f"from yidian.site.settings import *\n{settings}\n")
            self.env["DJANGO_SETTINGS_MODULE"] = "more_settings"
            self.env["PYTHONPATH"] = os.pathsep.join([str(folder), self.env["PYTHONPATH"]])

    def start(self, preexec=None) -> "RealSite":
        with self.log_file.open("a") as log:
            self.begin(stderr=log, preexec_fn=preexec)
        return self

    def python(self, function: str, given: str = "") -> str:
        """What ``module.function(given)`` answers in a process of its own, before the server starts."""
        module, _, name = function.rpartition(".")
        code = f"import sys, {module}, django; django.setup(); sys.stdout.write({module}.{name}(sys.stdin.read()))"
        made = subprocess.run([sys.executable, "-c", code], env=self.env, input=given, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        return made.stdout

    def yidian(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        """What a command that is expected to end said, and its exit status."""
        command = [sys.executable, "-c", YIDIAN, *arguments]
        return subprocess.run(command, env=self.env | variables, capture_output=True, text=True, timeout=60)

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None):
        """Status, headers by lower-case name, and the body as text."""
        status, kept, content = self.exchange(method, path, body, headers, 40)
        return status, kept, content.decode("utf-8", "replace")

    def get(self, path: str, headers: dict | None = None):
        return self.request("GET", path, headers=headers)

    def count(self, sql: str, *values) -> int:
        """What a query of one number answers, read past the server from the file itself."""
        connection = sqlite3.connect(f"file:{self.data / 'yidian.sqlite3'}?mode=ro", uri=True, timeout=10)
        try:
            row = connection.execute(sql, values).fetchone()
            return row[0] if row else 0
        finally:
            connection.close()

    def views(self, page: str) -> int:
        return self.count("SELECT count FROM readership_viewcount WHERE page = ?", page)

    def reports(self) -> int:
        return self.count("SELECT count(*) FROM editorial_errorreport")


def _fill() -> None:
    import django

    django.setup()
    from django.db import transaction

    from yidian.cli import start
    from yidian.exchange.bundle import import_bundle

    start.prepare_database()
    start.load_starter(lambda items, *_: items)
    import_bundle(start.DEMO)
    start.first_account()
    with transaction.atomic():
        _one_of_everything()


def _one_of_everything() -> None:
    from datetime import date, timedelta

    import content
    from content import card, module, publish, text
    from django.core.files.images import ImageFile
    from django.utils import timezone

    from yidian.editorial.models import Correction, Illustration
    from yidian.people.models import Department

    sources = [content.source(slug=f"src-{n}", name=f"Stretching before sleep {n}", pmid=f"2234137{n}") for n in (1, 2)]
    claim = content.claim(slug="ceshi-zhuzhang", sources=sources, summary="试验里吃镁和吃安慰剂差不多。")
    populations = [content.population(slug="ceshi-yunfu", name="孕妇"), content.population("ceshi-laoren", "老人")]
    content.term(slug="ceshi-ji", name="甲乙肌", definition="小腿后面那块大肌肉。")
    content.term(slug="ceshi-zhi", name="丙丁质", definition="血里的钠、钾、钙、镁这些盐分。")
    leg = content.body_part(slug="ceshi-tui", name="腿", alternate_names="腿部")
    calf = content.body_part(slug="ceshi-xiaotui", name="小腿", broader=leg)
    department = publish(Department(slug="ceshi-ke", name="神经内科", description="管神经和肌肉的病。"))
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><path d="M0 0h400v300z"/></svg>'
    picture = Illustration(title="小腿", alt="一条小腿", file=ImageFile(io.BytesIO(drawing), name="ceshi.svg"))
    picture.save()
    body = [
        module(
            text(
                "<p>甲乙肌累了，会自己收紧[^src-1]。<b>丙丁质</b>少了也会[^src-2]。</p><ul><li>走多了</li><li>出汗多</li></ul>"
            ),
            {"type": "claim", "value": claim.pk},
            {"type": "picture", "value": {"image": picture.pk, "alt": "一条小腿", "caption": "腓肠肌在这里。"}},
        ),
        module(
            text('<p>睡前拉一拉。参考<a href="/conditions/ceshi-bing/">小腿抽筋</a>。</p>'),
            *(
                {
                    "type": "population",
                    "value": {"population": each.pk, "text": f"<p>{each.name}可以这样做[^src-1]。</p>"},
                }
                for each in populations
            ),
            aspect="self_care",
            headline="自己能做什么",
        ),
    ]
    cards = [
        card("emergency_call", "立即拨打 120，如果", "胸口疼，喘不上气"),
        card("same_day", "今天就去看医生，如果", "一条腿肿、红、热", "抽筋超过十分钟"),
        card("self_care", "自己可以做的", "把腿伸直，脚尖往回勾"),
    ]
    broader = content.condition(slug="ceshi-dalei", name="肌肉痉挛")
    hospital = content.hospital(slug="ceshi-yiyuan", description="演示用。", region="北京", grade_source="演示")
    doctor = content.physician(
        slug="ceshi-yisheng", hospital=hospital, department=department, knows_about="ceshi-bing", description="看腿的。"
    )
    doctor.credentials.create(category="医师执业证书", recognized_by="演示机构", valid_from=date(2020, 1, 1))
    publish(doctor)
    reviewer = content.physician(slug="ceshi-shenhe", name="演示医生乙", hospital=hospital)
    today = timezone.localdate()
    reviewed = {"author": doctor, "reviewer": reviewer, "last_review_date": today, "review_due": today + timedelta(400)}
    condition = content.condition(
        slug="ceshi-bing",
        name="小腿抽筋",
        alternate_names="腿抽筋\n转筋",
        broader=broader,
        modules=body,
        care_advice=cards,
        **reviewed,
    )
    condition.body_parts, condition.departments = [leg, calf], [department]
    condition.codes.create(system="ICD-10", value="R25.2")
    publish(condition)
    article = content.article(
        slug="ceshi-wenzhang", name="小腿为什么抽筋", about=condition, modules=body, care_advice=cards, keywords="抽筋"
    )
    article.populations = populations
    publish(article)
    content.article(slug="ceshi-erpian", name="抽筋与补钙", about=condition, modules=body[:1])
    steps = [
        {"key": "gou", "name": "把脚尖往回勾", "text": "<p>腓肠肌会被拉长。</p>", "seconds": 30},
        {"name": "站起来走几步", "text": ""},
    ]
    later = [
        {"key": "k2", "name": "试试维生素K2", "text": "<p>先问医生。</p>", "seconds": 2},
        {"key": "yao", "name": "吃一片药", "text": "<p>照说明书。</p>", "seconds": 61},
    ]
    asked = [
        content.contraindication("shoushang", removes=["gou", "yao"], instead="不要拉，先看医生[^src-1]。"),
        content.contraindication(
            "huafalin", question="吃华法林吗？", removes=["k2", "yao"], instead="不要吃[^src-1]。"
        ),
    ]
    content.guide(
        slug="ceshi-zhinan",
        about=condition,
        care_advice=cards,
        phases=[content.phase(*steps), content.phase(*later, phase="two_weeks", headline="两周内做")],
        supplies="毛巾",
        do="慢慢拉\n呼吸放松",
        dont="不要猛拉",
        stop_conditions="越拉越疼",
        contraindications=asked,
    )
    answers = ("<p>多数不是[^src-1]。</p>", "<p>先看是不是累了。</p>")
    question = content.question(
        name="腿抽筋是不是缺钙？", slug="ceshiwen", about=condition, answers=answers, detail="半夜常抽。"
    )
    answer = question.answers.first()
    answer.author = doctor
    publish(answer)
    publish(question)
    for n in range(8):
        content.question(name=f"小腿抽筋第{n}问？", slug=f"ceshiwen{n}", about=condition)
    page = {"name": "小腿为什么抽筋", "page": ARTICLE, "text": "原来写“缺钙”，现在写“多半是肌肉累了”。"}
    publish(Correction(slug="ceshi-gengzheng", date_published=today, **page))
    for n in range(35):
        content.article(slug=f"ceshi-pian-{n}", name=f"第{n}篇短文")


def publish_one() -> None:
    """One more condition, as an editor publishes it while the site runs."""
    import django

    django.setup()
    from content import condition

    condition("denglongjiao-guomin", "灯笼椒过敏", description="吃了灯笼椒起疹子。")


def fill_hostile(payloads: str) -> str:
    """Puts every payload of a JSON list into every field that editors fill; answers the paths that show them, as JSON.

    Rich text passes the blocks as it does in the editor; what a field's own validation refuses is left out, as the
    forms would.
    """
    import datetime

    import content
    from content import card, module, publish, text
    from django.core.exceptions import ValidationError
    from django.db import transaction

    from yidian.editorial.models import Correction, Illustration
    from yidian.encyclopedia.models import Article
    from yidian.evidence.models import Claim, Source
    from yidian.people.models import Department, Hospital, Physician
    from yidian.search.actions import index_names
    from yidian.terms.models import BodyPart, GlossaryTerm, Population

    written = json.loads(payloads)
    plain = [payload.replace("\x00", "") for payload in written]  # every form refuses NUL

    def make(model, n: int, **fields):
        made = model(slug=f"xss-{n}", live=True, origin=plain[n], licence=plain[n])
        for name, value in fields.items():
            field = model._meta.get_field(name)
            value = value[: field.max_length] if isinstance(value, str) and field.max_length else value
            try:
                setattr(made, name, field.clean(value, made))
            except ValidationError:
                continue
        return made

    def all_of(model, **shape):
        """One of ``model`` for each payload; ``shape`` says what stands where, with the payload for ``...``."""
        return model.objects.bulk_create(
            make(model, n, **{name: payload if value is ... else value for name, value in shape.items()})
            for n, payload in enumerate(plain)
        )

    with transaction.atomic():
        day = datetime.date(2026, 1, 2)
        populations = all_of(Population, name=..., alternate_names=..., description=...)
        all_of(BodyPart, name=..., alternate_names=..., description=..., region="leg")
        all_of(Department, name=..., alternate_names=..., description=...)
        all_of(Hospital, name=..., hospital_grade=..., grade_source=..., grade_as_of=day, region=..., description=...)
        doctors = all_of(Physician, name=..., job_title=..., description=..., conflict_of_interest=...)
        for doctor, hospital, payload in zip(
            doctors, Hospital.objects.filter(slug__startswith="xss-"), plain, strict=True
        ):
            doctor.hospital = hospital
            doctor.credentials.create(category=payload[:100], recognized_by=payload[:200], verified_by=payload[:100])
        Physician.objects.bulk_update(doctors, ["hospital"])
        written_in = dict.fromkeys(("name", "authors", "publisher", "doi", "pmid", "isbn", "document_number"), ...)
        written_in |= dict.fromkeys(("locator", "url", "no_identifier_reason", "date_published"), ...)
        sources = all_of(Source, source_kind="guideline", **written_in)
        assert not any(source.url for source in sources), "no payload is an address"
        for name in ("doi", "pmid", "document_number"):  # otherwise the first of them hides the others
            Source.objects.filter(slug__endswith={"doi": 1, "pmid": 2, "document_number": 3}[name]).update(**{name: ""})
        words = dict.fromkeys(("name", "summary", "population", "intervention", "outcome"), ...)
        claims = all_of(Claim, direction="supports", certainty="low", **words)
        for claim, source in zip(claims, sources, strict=True):
            claim.sources.add(source)
            claim.save()
        for n, payload in enumerate(plain):
            GlossaryTerm.objects.create(slug=f"xss-{n}", live=True, name=f"难词{n:04}号", definition=payload[:200])
        for n, payload in enumerate(plain):
            made = make(Correction, n, name=payload, text=payload, page="/" + payload, date_published=day)
            made.page = made.page or payload
            made.save()
        articles = all_of(Article, name=..., alternate_names=..., description=..., keywords=...)
        for article in articles:
            index_names("article", article.pk, article.get_absolute_url(), f"抽筋 {article.name}", [article.name], 99)
        image = Illustration.objects.first()
        image.title = image.alt = image.credit = plain[0]
        image.save()
        everything = [
            module(
                *(text(f"<p>难词{n:04}号</p>{payload}[^xss-{n}]") for n, payload in enumerate(written)),
                *({"type": "claim", "value": claim.pk} for claim in claims),
                *(
                    {"type": "picture", "value": {"image": image.pk, "alt": payload[:300], "caption": payload[:200]}}
                    for payload in plain
                ),
                *(
                    {"type": "population", "value": {"population": each.pk, "text": payload}}
                    for each, payload in zip(populations, written, strict=True)
                ),
            ),
            *(module(text(payload), headline=payload[:100]) for payload in plain),
        ]
        cards = [card("emergency", payload[:60], *plain) for payload in plain[:5]]
        lines = "\n".join(" ".join(payload.split("\n")) for payload in plain)
        steps = [{"key": f"s{n}", "name": text[:100], "text": text, "seconds": 5} for n, text in enumerate(plain)]
        phases = [{"type": "phase", "value": {"phase": "now", "headline": plain[3], "steps": steps}}]
        condition = content.condition(
            slug="xss-all", name=plain[1], alternate_names=lines, modules=everything, care_advice=cards
        )
        for value in {payload[:30] for payload in plain}:
            condition.codes.create(system="ICD-10", value=value)
        publish(condition)
        content.article(slug="xss-all", name=plain[2], about=condition, modules=everything, care_advice=cards)
        halves = {"do": lines, "dont": lines, "stop_conditions": lines}
        halves["contraindications"] = [
            content.contraindication(f"k{n}", question=payload[:100], instead=payload[:200], removes=["s0"])
            for n, payload in enumerate(plain[:8])
        ]
        content.guide(slug="xss-all", name=plain[4], about=condition, phases=phases, care_advice=cards, **halves)
        content.question(
            slug="xssall",
            name=plain[5],
            detail=lines[:2000],
            about=condition,
            answers=["".join(written), *written[:5]],
        )
    numbers = range(0, len(plain), 60)
    sections = ("articles", "doctors", "hospitals", "departments", "body-parts", "populations")
    paths = [f"/{section}/xss-{n}/" for section in (*sections, "claims") for n in numbers]
    paths += [f"/{section}/?page={n}" for section in sections for n in range(1, len(plain) // 30 + 1)]
    entries = ["/conditions/xss-all/", "/articles/xss-all/", "/guides/xss-all/", "/questions/xssall/"]
    paths += [
        "/",
        "/conditions/",
        "/questions/",
        "/corrections/",
        "/search?q=抽筋",
        "/zh-hant/articles/xss-all/",
        *entries,
    ]
    return json.dumps([*paths, *(f"{entry}handout/" for entry in entries)])


if __name__ == "__main__":
    _fill()
