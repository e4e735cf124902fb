"""Puts the screens into the package that is built: app.py, pages/ and .streamlit/ of a clone become attnviz/app/.

Everything else is in pyproject.toml, which cannot give one package a folder and find all others by itself.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildWithScreens(build_py):
    """Takes app.py for attnviz/app/, and nothing else that stands beside it."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """The modules of a package, each with its package, name and file."""
        modules = super().find_package_modules(package, package_dir)
        return [module for module in modules if package != "attnviz.app" or module[1] == "app"]


setup(
    packages=[*find_packages(include=["attnviz", "attnviz.*"]), "attnviz.app", "attnviz.app.pages"],
    package_dir={"attnviz.app": ".", "attnviz.app.pages": "pages"},
    cmdclass={"build_py": BuildWithScreens},
)
