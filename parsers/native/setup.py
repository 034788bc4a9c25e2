"""How to compile it: eight files, Python's stable interface of 3.11, no other library."""

from setuptools import Extension, setup

setup(
    py_modules=[],
    packages=[],
    ext_modules=[
        Extension(
            "flowdiag_native",
            ["scanner.c", "counted.c", "ahead.c", "known.c", "walk.c", "requests.c", "search.c", "marks.c"],
            depends=[
                "known.h",
                "walk.h",
                "cursor.h",
                "search.h",
                "marks.h",
                "rows.h",
                "counted.h",
                "ahead.h",
                "guard.h",
            ],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
