"""The wheel carries the notebooks, as `espresso/nbs`, so that an installed espresso can run them, and what the paper reports, as `espresso/papers`. All else is in pyproject.toml."""
import shutil
from pathlib import Path
from setuptools import setup
from setuptools.command.build_py import build_py

class build_with_notebooks(build_py):
    def run(self):
        super().run()
        if self.editable_mode: return
        for folder in 'nbs', 'papers': shutil.copytree(folder, Path(self.build_lib)/'espresso'/folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns('.*', '_*'))

setup(cmdclass={'build_py': build_with_notebooks})
