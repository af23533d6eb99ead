"""The ledger of the paper's claims: its form, and the arithmetic that it says was done."""
import csv, re, shlex
from pathlib import Path
import pytest
from espresso.cli import parser

root = Path(__file__).parent.parent
COLUMNS = 'id claim place notebook tested_by command scale measured verdict why'.split()
VERDICTS = 'holds', 'fails', 'undecided', 'not testable here', 'gap', 'contradiction'

def rows(name):
    with open(root/'papers'/'videoespresso'/f'{name}.csv', newline='', encoding='utf-8') as f: return list(csv.DictReader(f))

CLAIMS = rows('claims')
TARGETS = {t for line in re.findall(r'^([a-z0-9 ]+):', (root/'Makefile').read_text(), re.M) for t in line.split()}

def column(table, key, name): return {r[key]: float(r[name]) for r in rows(table) if r[name]}

def fault(command):
    "Why a command cannot be run; empty when it can, as far as its names tell"
    head, *rest = shlex.split(command)
    if head == 'make': return '' if rest and set(rest) <= TARGETS else f'make has no target {rest}'
    if head == 'espresso':
        try: parser().parse_args(rest)
        except SystemExit: return f'espresso does not understand {rest}'
        return ''
    if head not in ('nbdev-test', 'pytest', 'python'): return f'{head} is no command of this project'
    files = [r for r in rest if not r.startswith('-')]
    return '' if files and all((root/f).is_file() for f in files) else f'{files} is not there'

def test_a_command_that_cannot_be_run_is_found_out(capsys):
    for good in 'make table3', 'pytest -q tests/test_claims.py', 'espresso figures --other FILE', 'nbdev-test nbs/index.ipynb': assert not fault(good)
    for bad in 'make tea', 'make', 'pytest -q tests/none.py', 'espresso figure', 'espresso figures --file X', 'nbdev-test', 'curl x': assert fault(bad)

def test_ids_are_unique_and_no_claim_is_told_twice():
    ids, claims = [r['id'] for r in CLAIMS], [r['claim'].casefold() for r in CLAIMS]
    assert len(set(ids)) == len(ids) >= 40 and all(re.fullmatch(r'[a-z0-9-]+', i) for i in ids)
    assert len(set(claims)) == len(claims)

@pytest.mark.parametrize('r', CLAIMS, ids=lambda r: r['id'])
def test_a_row_says_all_that_it_must(r):
    assert list(r) == COLUMNS and None not in r.values()
    for c in COLUMNS:
        assert r[c] == r[c].strip()
        if c not in ('command', 'why'): assert r[c], f'{c} is empty'
    assert r['verdict'] in VERDICTS
    assert (root/'nbs'/f'{r["notebook"]}.ipynb').is_file()
    if r['command']: assert fault(r['command']) == ''
    else: assert r['tested_by'] == 'read' and r['verdict'] in ('gap', 'not testable here'), 'what was not only read has a command'
    if r['verdict'] == 'undecided': assert r['why'] or 'is kept here yet' in r['measured']

def test_every_table_that_is_an_ablation_has_its_orderings():
    for table, n in ('Table 3', 4), ('Table 4', 3), ('Table 5', 3): assert sum(table in r['place'] for r in CLAIMS) >= n, table

def test_frames():
    seen, paper = column('table4', 'Selector', '#Frame'), {r['name']: r for r in rows('table1')}
    assert 100*seen['1B/0.5B']/128 == pytest.approx(1.84, abs=.005)
    assert [100*(1 - seen[s]/16) for s in ('1B/0.5B', '1B/1.5B')] == pytest.approx([85.25, 82.7], abs=.05)
    assert [100*(1 - seen[s]/128) for s in ('1B/1.5B', '1B/0.5B')] == pytest.approx([97.8, 98.2], abs=.05)
    other = {r['Sample']: float(r['#Frame']) for r in rows('table5') if r['Model'] == 'GPT-4o'}
    assert (other['1B/0.5B'], other['1B/1.5B']) == (seen['1B/1.5B'], seen['1B/0.5B']) # the two tables swap them
    assert seen['GT'] > seen['1B/1.5B'] > seen['1B/0.5B'] and float(paper['Ours']['frames']) == seen['1B/0.5B']

def test_memory():
    whole = {r['Selector']: sum(int(t.strip().rstrip('G')) for t in r['Inference Memory'].split('+')) for r in rows('table4')}
    assert whole == {'Uniform': 54, 'GT': 29, '1B/1.5B': 33, '1B/0.5B': 29}

def test_grades():
    table = {r['Models']: r for r in rows('table2')}
    aspects, ours = ('Log.', 'Fac.', 'Acc.', 'Con.'), table['Ours']
    ahead = [float(ours[a]) - max(float(r[a]) for n, r in table.items() if r['Source'] == 'open' and n != 'Ours') for a in aspects]
    assert ahead == pytest.approx([1.6, 5., 5.2, 6.9], abs=.06)
    assert float(ours['Con.']) - float(table['GPT-4o']['Con.']) == pytest.approx(5.71)
    assert sum(float(ours[a]) for a in aspects)/4 == pytest.approx(67.24, abs=.01) and ours['Overall'] == '65.84'

def test_the_same_model_twice():
    one, five = {r['name']: float(r['average']) for r in rows('table1')}, {r['Model']: float(r['Acc.']) for r in rows('table5') if r['Sample'] == 'Uniform'}
    assert round(one['InternVL2'] - five['InternVL2'], 2) == .13 and round(five['GPT-4o'] - one['GPT-4o'], 2) == .46

def test_selectors_before_other_models():
    acc = {(r['Model'], r['Sample']): float(r['Acc.']) for r in rows('table5')}
    gain = {m: [round(acc[m, s] - acc[m, 'Uniform'], 1) for s in ('1B/0.5B', '1B/1.5B')] for m in ('GPT-4o', 'InternVL2', 'LongVA', 'LLaVA-N-i')}
    assert gain == {'GPT-4o': [1.4, 2.6], 'InternVL2': [.7, 1.5], 'LongVA': [-1.2, -.6], 'LLaVA-N-i': [-.2, -.1]}
    assert [round(acc[m, '1B/1.5B'] - acc[m, '1B/0.5B'], 1) for m in gain] == [1.2, .8, .7, .1]
    half = max(196*sum(p/100*(1 - p/100)/1382 for p in (acc[m, '1B/1.5B'], acc[m, 'Uniform']))**.5 for m in gain)
    assert half == pytest.approx(3.4, abs=.05)

def test_rates():
    assert {r['config']: (r['Stage1'], r['Stage2']) for r in rows('table8')}['learning rate'] == ('2e-5', '1e-5')
