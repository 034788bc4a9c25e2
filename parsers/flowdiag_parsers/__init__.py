"""The parsers that come with flowdiag, one package per family.

They import `flowdiag.parserkit` and nothing else of flowdiag, and no family imports another.
"""
