"""The structure of the house: who may import what."""
import ast
from pathlib import Path

package = Path(__file__).parent.parent/'espresso'
FILES = {'.'.join(p.relative_to(package).with_suffix('').parts): p for p in package.rglob('*.py') if p.name not in ('__init__.py', '_modidx.py')}

def imports(name):
    "Modules that a room imports anywhere in it, its own package's by their full name without `espresso`"
    found, here = set(), name.split('.')
    for n in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(n, ast.Import): found |= {a.name for a in n.names}
        if isinstance(n, ast.ImportFrom):
            base = ('espresso.' + '.'.join([*here[:len(here)-n.level], *(n.module or '').split('.')]).strip('.')).rstrip('.') if n.level else n.module
            found |= {base} | {f'{base}.{a.name}' for a in n.names}
    return found

def inside(name): return {i.removeprefix('espresso.') for i in imports(name)} & FILES.keys()

def importers(library): return {n for n in FILES if any(i.split('.')[0] == library for i in imports(n))}

def test_no_circle():
    order, seen = [], {}
    def visit(n, path):
        assert n not in path, ' -> '.join([*path, n])
        if n in seen: return
        seen[n] = True
        for m in sorted(inside(n)): visit(m, [*path, n])
        order.append(n)
    for n in sorted(FILES): visit(n, [])
    assert len(order) == len(FILES) > 40

def test_one_room_for_each_outside_thing():
    assert importers('sqlite3') == {'store'}
    assert importers('openai') == {'backends.chat'}
    assert importers('av') <= {'tape', 'writer', 'video', 'planner'} and importers('decord') == {'video'}

def test_stages_know_no_backend_but_the_contracts():
    for n in FILES:
        if n.split('.')[0] in ('dataset', 'evaluation'):
            assert not {m for m in inside(n) if m.startswith(('backends.', 'offline.', 'world.'))} - {'contracts'}, n

def test_the_foundation_stands_on_nothing_above_it():
    for n in FILES:
        if n.startswith(('offline.', 'world.')): assert not {m for m in inside(n) if m.startswith(('backends.', 'dataset.'))}, n
    for n in 'records', 'contracts', 'planner', 'tape', 'writer', 'video', 'store', 'engine', 'recording':
        assert not {m for m in inside(n) if m.startswith(('dataset.', 'world.', 'offline.', 'reasoner.', 'evaluation.')) or m in ('runs', 'cli')}, n
