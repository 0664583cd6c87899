"""The pages, each in its own module, because the browser loads one module's page at a time."""

from pages import connect, index, legal, not_found, tip
from pages.page import Page

PAGES: tuple[Page, ...] = (index.PAGE, connect.PAGE, tip.PAGE, legal.TERMS_PAGE, legal.PRIVACY_PAGE, not_found.PAGE)

__all__ = ["PAGES", "Page"]
