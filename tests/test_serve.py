"Our client against a real `transformers serve` with a tiny checkpoint; takes half a minute, so only with ESPRESSO_SLOW=1"
import asyncio, os, socket, subprocess, sys, time
from pathlib import Path
import numpy as np, pytest
from espresso.contracts import ReplyError, load
from espresso.records import Frame, Stop
from espresso.video import Picture

pytestmark = pytest.mark.skipif(not os.environ.get('ESPRESSO_SLOW'), reason='slow: set ESPRESSO_SLOW=1')
KEEP = {'title': 'verdict', 'type': 'object', 'properties': {'keep': {'type': 'boolean'}}, 'required': ['keep'], 'additionalProperties': False}


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    "A server process and the checkpoint it serves"
    pytest.importorskip('fastapi'); pytest.importorskip('uvicorn')
    import tiny
    folder = tiny.llava(tmp_path_factory.mktemp('serve')/'llava')
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); port = s.getsockname()[1]
    env = dict(os.environ, HF_HUB_OFFLINE='1', HF_HOME=str(tmp_path_factory.mktemp('hub')), OMP_NUM_THREADS='1')
    command = [str(Path(sys.executable).with_name('transformers')), 'serve', '--host', '127.0.0.1', '--port', str(port), '--device', 'cpu', str(folder)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            with socket.socket() as s:
                if s.connect_ex(('127.0.0.1', port)) == 0: break
            assert process.poll() is None, 'the server ended'
            time.sleep(.5)
        yield f'http://127.0.0.1:{port}/v1', folder
    finally: process.terminate(); process.wait()


def ask(model): return asyncio.run(model.ask([{'role': 'user', 'content': 'Is this a question?'}], KEEP))

def test_nonsense_is_refused_with_a_clear_sentence(server):
    url, folder = server
    model = load('chat', f'chat:{folder}?base_url={url}&max_tokens=12')
    with pytest.raises(ReplyError, match='asked twice: (it was cut off|the reply holds no JSON|the reply is not JSON)'): ask(model)
    assert model.usage.requests == 2 and model.usage.prompt_tokens > 0

def test_pictures_are_seen(server):
    url, folder = server
    seer = load('captioner', f'chat:{folder}?base_url={url}&max_tokens=12')
    film = [Picture(Frame('v', i, float(i)), np.random.default_rng(i).integers(0, 255, (60, 100, 3), dtype=np.uint8)) for i in range(2)]
    captions = seer.caption('clip.mp4', film)
    assert len(set(captions)) == 2 and all(captions)

def test_a_wrong_model_stops_the_run(server):
    with pytest.raises(Stop, match='answers 4'): ask(load('chat', f'chat:no-such-model?base_url={server[0]}'))

def test_the_whole_chain_goes_through_it(server, tmp_path):
    "A model that talks nonsense: every group ends in quarantine, every folder is there, and a second run asks nothing"
    import json, shutil
    from conftest import DATASET, espresso
    url, folder = server
    models = [x for name, tokens in (('captioner', 12), ('annotator', 12), ('verifier', 12)) for x in ('-p', name, f'chat:{folder}?base_url={url}&max_tokens={tokens}')]
    command = ['run', '--out', tmp_path/'out', '-p', 'world_clips', '1', '--until', 'exchange', *models]
    def records(): return {s.name: json.loads((tmp_path/'out'/s.name/'run.json').read_text()) for s in DATASET}
    r = espresso(*command)
    assert r.returncode == 0, r.stdout + r.stderr
    first = records()
    assert first['captions']['counts']['rows'] > 5 and first['qa']['usage']['requests'] > 0
    assert first['qa']['counts']['quarantined'] == {'no reply': first['qa']['counts']['units']}
    for s in DATASET: shutil.rmtree(tmp_path/'out'/s.name)
    r = espresso(*command)
    assert r.returncode == 0, r.stdout + r.stderr
    second = records()
    assert second['qa']['usage']['requests'] == 0 and second['qa']['usage']['cached'] > 0
    assert {n: d['counts'] for n, d in second.items()} == {n: d['counts'] for n, d in first.items()}
