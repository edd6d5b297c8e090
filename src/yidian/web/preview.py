"""What the editor shows beside the form: the public page of a draft."""

from django.http import HttpResponse


def render(request, content) -> HttpResponse:
    """The public page of content as it stands in the editor; a plain note for what has no page of its own."""
    from yidian.web import queries, views

    if content.kind == "answer":
        response = views.preview(content.question)
    elif content.section in queries.ENTRIES:
        response = views.preview(content)
    elif content.section in queries.PLACES:
        response = HttpResponse("这一项的页面由填写的内容和归在它名下的条目组成，发布后可以看到。")
    elif content.kind == "synonym_group":
        response = HttpResponse("这一组词没有自己的页面，发布后读者用其中任何一个词都能搜到其他的词。")
    else:
        response = HttpResponse("这一项没有自己的页面，发布后会出现在引用它的页面里。")
    response.headers.pop("X-Page-Tags", None)
    return response
