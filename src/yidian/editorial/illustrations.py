"""What a drawing may hold: SVG that shows a picture and does nothing else."""

import re
from xml.parsers import expat

from django.core.exceptions import ValidationError

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
# What drawing programs keep beside the picture; browsers ignore elements of these namespaces.
_EDITORS = {
    "http://www.inkscape.org/namespaces/inkscape",
    "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://purl.org/dc/elements/1.1/",
    "http://creativecommons.org/ns#",
    "http://web.resource.org/cc/",
}
# Static SVG 1.1. Left out: script, foreignObject, a, and the animations, which can change an address later.
_ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        """
        svg g defs symbol use title desc metadata style switch path rect circle ellipse line polyline
        polygon text tspan textPath image linearGradient radialGradient stop pattern clipPath mask
        marker view filter feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix
        feDiffuseLighting feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG
        feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting
        feSpotLight feTile feTurbulence
        """,
    )
)
_INSIDE = re.compile(r"\s*#[^\s]*\s*")
_EMBEDDED = re.compile(r"\s*data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=\s]*")
_URL = re.compile(r"url\s*\(\s*(['\"]?)\s*(.)", re.IGNORECASE | re.DOTALL)
# A backslash can spell any CSS word in disguise; drawings need none.
_CSS_REACHING_OUT = re.compile(r"\\|@import|@charset|expression\s*\(|image-set\s*\(|image\s*\(|src\s*\(", re.IGNORECASE)
# Deeper than any drawing; what reads the file afterwards may walk it recursively.
_MAX_DEPTH = 200

_ADVICE = "请在绘图软件里另存为“普通 SVG”，或改传 PNG。"


def check_svg(data: bytes) -> None:
    """Raises ValidationError unless the bytes are an SVG drawing that neither runs nor fetches anything.

    Refused: script, event attributes, foreignObject, links, animation, addresses outside the file, style that
    reaches outside, entities, processing instructions, and any encoding but UTF-8.
    """
    depth = 0
    style: list[str] | None = None

    def refuse(what: str):
        raise ValidationError(f"这个 SVG 里有{what}，不能上传。{_ADVICE}")

    def check_css(text: str) -> None:
        if _CSS_REACHING_OUT.search(text) or any(match[2] != "#" for match in _URL.finditer(text)):
            refuse("引用外部内容的样式")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, style
        depth += 1
        namespace, _, local = name.rpartition(" ")
        if depth == 1 and (namespace, local) != (_SVG, "svg"):
            raise ValidationError(f"这个文件不是 SVG 图片。{_ADVICE}")
        if depth > _MAX_DEPTH:
            refuse("过多的层层嵌套")
        if namespace not in _EDITORS and (namespace != _SVG or local not in _ELEMENTS):
            refuse(f"不允许的内容 <{local[:40]}>")
        if namespace == _SVG and local == "style":
            style = []
        for full_name, value in attributes.items():
            attribute_namespace, _, attribute = full_name.rpartition(" ")
            if attribute.lower().startswith("on"):
                refuse(f"会运行程序的属性 {attribute[:40]}")
            if namespace in _EDITORS:
                continue
            if attribute.lower() in {"href", "src"} and attribute_namespace in {"", _XLINK, _SVG}:
                embedded = local == "image" and _EMBEDDED.fullmatch(value)
                if not embedded and not _INSIDE.fullmatch(value):
                    refuse("指向文件之外的地址")
            elif attribute.lower() == "base":
                refuse("指向文件之外的地址")
            elif attribute_namespace not in _EDITORS:
                # presentation attributes, such as fill="url(#a)", are CSS values too
                check_css(value)

    def text(data: str) -> None:
        if style is not None:
            style.append(data)

    def end(name: str) -> None:
        nonlocal depth, style
        depth -= 1
        if style is not None and name == f"{_SVG} style":
            check_css("".join(style))
            style = None

    def declaration(version, encoding, standalone) -> None:
        if encoding and encoding.lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise ValidationError(f"这个 SVG 不是 UTF-8 编码。{_ADVICE}")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.XmlDeclHandler = declaration
    parser.EntityDeclHandler = lambda *of: refuse("实体声明")
    parser.ProcessingInstructionHandler = lambda *of: refuse("处理指令")
    try:
        data.decode("utf-8")
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeDecodeError) as broken:
        raise ValidationError(f"这个文件读不出来，不是完整的 SVG 图片。{_ADVICE}") from broken
