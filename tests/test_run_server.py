"""The whole chain with the clients of profile `laptop`: captions, questions and checks come from a server on loopback."""
import base64, io, json, shutil
from pathlib import Path
import numpy as np
from PIL import Image
from conftest import DATASET, SMALL, data, espresso
from server import Say, Server, by_rules
from espresso.contracts import load
from espresso.records import Frame
from espresso.video import Picture

def answer(body):
    "See a picture with the describer, or follow a prompt with the rules"
    parts = body['messages'][0]['content']
    if isinstance(parts, str): return by_rules(body)
    url = next(p['image_url']['url'] for p in parts if p['type'] == 'image_url')
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(',')[1]))).convert('RGB'))
    return load('captioner', 'offline').caption(Path('picture'), [Picture(Frame('v', 0, 0.), image)])[0]

def names(out): return {n for n in data(out) if not n.startswith('exchange/frames')}

def kept(out): return [json.loads((out/s.name/'run.json').read_text())['counts'] for s in DATASET]

def test_a_server_gives_the_same_structure_and_is_never_asked_twice(tmp_path, run):
    out = tmp_path/'served'
    with Server(answer) as server:
        models = [x for name in ('captioner', 'annotator', 'verifier') for x in ('-p', name, f'chat:{name}?base_url={server.url}&price_in=1&price_out=1&max_money=5')]
        command = ['run', '--profile', 'laptop', '--out', out, *SMALL, *models, '-p', 'detector', 'offline', '-p', 'matcher', 'offline']
        r = espresso(*command)
        assert r.returncode == 0, r.stdout + r.stderr
        assert names(out) == names(run[0])
        assert kept(out)[3]['rows'] > 0 and server.count > 100
        before, asked = data(out), server.count
        for s in DATASET: shutil.rmtree(out/s.name)
        r = espresso(*command)
        assert r.returncode == 0, r.stdout + r.stderr
        assert server.count == asked
        assert data(out) == before
    assert 'kept)' in r.stdout

def test_a_server_that_talks_prose_is_put_in_quarantine(tmp_path, run):
    out = tmp_path/'prose'
    shutil.copytree(run[0], out)
    with Server(lambda body: 'Dear friend, what a lovely video!') as server:
        r = espresso('run', '--out', out, *SMALL, '-p', 'annotator', f'chat:poet?base_url={server.url}')
    assert r.returncode == 0, r.stdout + r.stderr
    counts = dict(zip([s.name for s in DATASET], kept(out)))
    assert counts['qa']['quarantined'] == {'no reply': counts['qa']['units']} and counts['qa']['rows'] == counts['benchmark']['units'] == 0

def test_a_server_that_refuses_the_model_stops_the_run_with_one_sentence(tmp_path, run):
    out = tmp_path/'refused'
    shutil.copytree(run[0], out)
    with Server(script=[Say(status=401)]*99) as server:
        r = espresso('run', '--out', out, *SMALL, '-p', 'annotator', f'chat:any?base_url={server.url}')
    said = [l for l in r.stderr.splitlines() if not l.startswith('  ')] # Without the lines of progress
    assert r.returncode == 2 and len(said) == 1 and 'refuses the key' in said[0], r.stderr
