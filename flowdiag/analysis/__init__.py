"""The run: evidence and state in, a report or an answer out.

The only room that knows all the stages; the command line and library users go through it.
"""
