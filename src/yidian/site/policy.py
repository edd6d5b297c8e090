"""The Content-Security-Policy middleware, which leaves alone a page that already carries its policy."""

from csp import middleware


class CSPMiddleware(middleware.CSPMiddleware):
    def process_response(self, request, response):
        # public pages set the one policy themselves; django-csp would build it twice more to throw it away
        if "Content-Security-Policy" in response:
            return response
        return super().process_response(request, response)
