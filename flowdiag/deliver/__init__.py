"""Where an audit's results go: a folder or an object store, a metrics file or gateway, people.

This room gets bytes that others rendered and knows nothing of evidence.  A failure here is a sentence, and
never costs what the history holds.  Addresses may hold secrets: none is printed or stored with them.
"""
