"""What the editor shows beside the form: the public page of a draft."""

from django.http import HttpResponse


def render(request, content) -> HttpResponse:
    """The public page of content as it stands in the editor; a plain note for what has no page of its own."""
    from yidian.web import queries, views

    if content.section in queries.ENTRIES and content.kind != "answer":
        response = views.preview(content)
    elif content.kind == "answer":
        question = content.question
        question.preview_answer = content
        response = views.preview(question)
    else:
        response = HttpResponse("这一项没有自己的页面，发布后会出现在引用它的页面里。")
    del response["X-Page-Tags"]
    return response
