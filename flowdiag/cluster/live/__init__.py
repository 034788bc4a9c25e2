"""A running cluster, read through its API server with the kubernetes client.

`connect` opens it, `state` lists what diagnosis needs, kind by kind; a kind that is forbidden costs that kind
only.  Everything but `exec` and `debug`, which probing uses, is a GET request.  The client and what it is
made of are imported when a cluster is opened, never before: import the modules, not this package.
Bytes are decoded here with msgspec: the client's models are slow and drop the fields of custom resources
that they do not know.
"""
