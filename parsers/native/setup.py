"""How to compile it: two files, Python's stable interface of 3.11, no other library."""

from setuptools import Extension, setup

setup(
    py_modules=[],
    packages=[],
    ext_modules=[
        Extension(
            "flowdiag_native",
            ["scanner.c", "walk.c"],
            depends=["walk.h"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
