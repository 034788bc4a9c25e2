"""Read-only collection from a running cluster into one archive that `flowdiag analyze` takes.

`run` does it; `strip` says what of an object leaves the cluster; `plan` which logs, flows and files are asked
for; `bundle` keeps what was fetched, so that a collection that was interrupted goes on where it stopped.
"""
