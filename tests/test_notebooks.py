"""What holds for every notebook, and no single one can say."""
import ast, json, re
from pathlib import Path
import papermill as pm, pytest

root = Path(__file__).parent.parent
NOTEBOOKS = [p for p in sorted((root/'nbs').rglob('*.ipynb')) if '.ipynb_checkpoints' not in p.parts]
STAGES = [p for p in NOTEBOOKS if 'parameters' in p.read_text() and any('parameters' in c['metadata'].get('tags', []) for c in json.loads(p.read_text())['cells'])]

def cells(p, kind='code'): return [c for c in json.loads(p.read_text())['cells'] if c['cell_type'] == kind]
def source(c): return ''.join(c['source'])

class Bindings(ast.NodeVisitor):
    "Names bound in the notebook's own scope: not inside functions, classes and comprehensions"
    def __init__(self): self.names = set()
    def visit_Name(self, n):
        if isinstance(n.ctx, ast.Store): self.names.add(n.id)
    def visit_FunctionDef(self, n): self.names.add(n.name)
    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef
    def visit_ListComp(self, n): pass
    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_Lambda = visit_ListComp
    def visit_Import(self, n): self.names |= {(a.asname or a.name).split('.')[0] for a in n.names}
    visit_ImportFrom = visit_Import

def parse(text): return ast.parse('\n'.join('' if re.match(r'%%?[a-z]|!', l) else l for l in text.split('\n')))

def bound(text):
    b = Bindings(); b.visit(parse(text))
    return b.names

def test_bindings_see_what_they_should():
    assert bound('for tau in 1, 2: pass\nwith f() as x: y = 3\nz = [q for q in (1, 2)]\ndef g(a): b = 1') == {'tau', 'x', 'y', 'z', 'g'}

@pytest.mark.parametrize('p', NOTEBOOKS, ids=lambda p: p.stem)
def test_form(p):
    first = source(json.loads(p.read_text())['cells'][0]).split('\n')
    assert first[0].startswith('# ') and any(l.startswith('> ') for l in first), 'a notebook opens with a title and a subtitle'
    code = cells(p)
    assert len(json.loads(p.read_text())['cells']) <= 80 and p.stat().st_size <= 300*1024
    for c in code:
        whole = [type(n) for n in parse(source(c)).body] == [ast.ClassDef] # A class cannot be cut
        assert len(source(c).split('\n')) <= (64 if whole else 40), f'code cell {c["id"]} has more than 40 lines'
    assert 'nbdev_export(' not in p.read_text()
    outputs = json.dumps([c['outputs'] for c in code])
    assert not re.search(r'(?<![\w.])/(?:home|root|tmp|work|Users)/', outputs), 'an output names a path of some machine'
    assert '"output_type": "error"' not in outputs

@pytest.mark.parametrize('p', STAGES, ids=lambda p: p.stem)
def test_parameters_are_typed_explained_and_never_rebound(p):
    found = pm.inspect_notebook(str(p))
    for v in found.values(): assert v['inferred_type_name'] in ('int', 'float', 'str', 'bool') and v['help'], v
    for c in cells(p):
        if 'parameters' in c['metadata'].get('tags', []): continue
        again = bound(source(c)) & found.keys()
        assert not again, f'cell {c["id"]} binds the parameter {again} anew, so a batch job would not get what it asked for'
