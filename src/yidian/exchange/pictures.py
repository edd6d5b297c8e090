"""Pictures from a bundle: proven to be pictures that carry nothing else, before they are kept."""

import io
import re
import warnings

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from django.conf import settings
from PIL import Image

_SVG = "{http://www.w3.org/2000/svg}"
# What drawings need. Script, foreignObject, animation of attributes, and elements that load something are not among it.
_ELEMENTS = {
    "svg", "g", "defs", "symbol", "use", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline",
    "polygon", "text", "tspan", "textPath", "style", "marker", "pattern", "clipPath", "mask", "linearGradient",
    "radialGradient", "stop", "filter", "feBlend", "feColorMatrix", "feComposite", "feFlood", "feGaussianBlur",
    "feMerge", "feMergeNode", "feOffset", "feDropShadow",
}  # fmt: skip
_RASTER = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
_URL = re.compile(r"url\(\s*['\"]?\s*(?!#)", re.IGNORECASE)
_ACTIVE = re.compile(r"javascript:|data:|@import|expression\s*\(|-moz-binding|behavior\s*:|\\|/\*", re.IGNORECASE)


def picture_fault(name: str, data: bytes) -> str | None:
    """What is wrong with a picture's bytes, in Chinese; None when it is safe to show."""
    if len(data) > settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE:
        return f"太大：最多 {settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE // 1024 // 1024} MB"
    extension = name.rpartition(".")[2]
    return _svg_fault(data) if extension == "svg" else _raster_fault(data, _RASTER[extension])


def _raster_fault(data: bytes, form: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=[form]) as image:
                width, height = image.size
                if width * height > settings.WAGTAILIMAGES_MAX_IMAGE_PIXELS:
                    return f"像素太多：{width}×{height}，请缩小"
                image.verify()
    except Exception:  # noqa: BLE001 Pillow raises many kinds for broken files
        return f"不是完整的 {form} 图片，请重新导出"
    return None


def _svg_fault(data: bytes) -> str | None:
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        return "SVG 里有 DTD 或实体，不接受；请导出成“普通 SVG”"
    except (ParseError, ValueError, LookupError) as error:
        return f"不是完整的 SVG（{error}），请重新导出"
    if root.tag != f"{_SVG}svg":
        return "不是 SVG：最外层应是 <svg xmlns=…>"
    if b"<?xml-stylesheet" in data:
        return "SVG 引用了外部样式，不接受"
    for element in root.iter():
        name = str(element.tag).removeprefix(_SVG)
        if name not in _ELEMENTS:
            return f"SVG 里有 <{name.rpartition('}')[2]}>，不接受；请导出成“普通 SVG”，文字和图形即可"
        if name == "style" and (fault := _style_fault(element.text or "")):
            return fault
        for attribute, value in element.attrib.items():
            local = attribute.rpartition("}")[2].lower()
            if local.startswith("on"):
                return f"SVG 里有事件属性 {local}，不接受"
            if local == "base" or (local in {"href", "src"} and not value.strip().startswith("#")):
                return f"SVG 引用了外部内容（{local}），只能引用图里自己的 #编号"
            if local != "d" and (fault := _style_fault(value)):
                return fault
    return None


def _style_fault(text: str) -> str | None:
    return "SVG 引用了外部内容（url、@import 或脚本），不接受" if _URL.search(text) or _ACTIVE.search(text) else None
