"""Where things are, for those who must know before Django does."""

ADMIN_PREFIX = "/admin/"
