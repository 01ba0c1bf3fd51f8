"""The page: `cambrian serve`, an archive in a browser.

It reads archives and nothing else. What changes something goes to the process of the run as an
intent, as on the command line; that process stays the archive's only writer. What is held off, and
how, is said in `guard`; what is on the page in docs/page.md.
"""
