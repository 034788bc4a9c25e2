"""How to compile it: Python's stable interface of 3.11, no other library."""

import os

from setuptools import Extension, setup

setup(
    py_modules=[],
    packages=[],
    ext_modules=[
        Extension(
            "flowdiag_native",
            [
                "scanner.c",
                "teaching.c",
                "counted.c",
                "ahead.c",
                "known.c",
                "learnt.c",
                "walk.c",
                "requests.c",
                "search.c",
                "held.c",
                "marks.c",
                "reading.c",
                "forms.c",
                "skim.c",
            ],
            depends=[
                "ahead.h",
                "block.h",
                "bytes.h",
                "counted.h",
                "cursor.h",
                "forms.h",
                "guard.h",
                "held.h",
                "known.h",
                "marks.h",
                "reading.h",
                "rows.h",
                "scanner.h",
                "search.h",
                "skim.h",
                "tables.h",
                "walk.h",
            ],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            # Short names are nobody else's, whatever else the process has loaded.
            extra_compile_args=["-fvisibility=hidden"] if os.name == "posix" else [],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
