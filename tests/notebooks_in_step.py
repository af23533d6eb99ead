"""Refuse notebooks that are not clean, or a package that is not what they export.

`nbdev-clean` and `nbdev-export` are run, and must leave the tree as it was.
"""
import hashlib, subprocess, sys
from pathlib import Path

root = Path(__file__).parent.parent

def tree():
    files = [p for d in ('nbs', 'espresso') for p in sorted((root/d).rglob('*')) if p.suffix in ('.ipynb', '.py') and '.ipynb_checkpoints' not in p.parts]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

before = tree()
for command in 'nbdev-clean', 'nbdev-export':
    subprocess.run([str(Path(sys.executable).parent/command)], cwd=root, check=True)
after = tree()
changed = sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
if changed: sys.exit('not in step, run nbdev-clean and nbdev-export and commit: ' + ', '.join(changed))
print(f'{len(after)} notebooks and modules are in step')
