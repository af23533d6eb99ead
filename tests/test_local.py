"Models in this process, on tiny checkpoints of the real classes"
import os
os.environ['HF_HUB_OFFLINE'] = '1'
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
import asyncio, json, shutil, subprocess, sys, threading
import numpy as np, pytest
from espresso.contracts import ReplyError, Usage, load
from espresso.backends.weights import whole
from espresso.records import Frame, Stop
from espresso.store import Store
from espresso.video import Picture
import tiny

FAMILIES = ['llava', 'internvl', 'qwen_vl', 'smolvlm']
KEEP = {'title': 'verdict', 'type': 'object', 'properties': {'keep': {'type': 'boolean'}}, 'required': ['keep'], 'additionalProperties': False}


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    "A tiny checkpoint by its name, made when first asked for"
    made = {}
    def get(name, **how):
        key = name + str(how)
        if key not in made:
            if name == 'smolvlm': pytest.importorskip('num2words')
            made[key] = getattr(tiny, name)(tmp_path_factory.mktemp(name)/name, **how)
        return made[key]
    return get

def pictures(n=5, sizes=((60, 100),)):
    rng = np.random.default_rng(0)
    return [Picture(Frame('v', i, i/2), rng.integers(0, 255, (*sizes[i % len(sizes)], 3), dtype=np.uint8)) for i in range(n)]


@pytest.mark.parametrize('family', FAMILIES)
def test_captions_of_a_batch_are_those_of_single_frames(folder, family):
    seer = load('captioner', f'local:{folder(family)}?max_tokens=10&batch=3&device=cpu')
    film = pictures(5, [(60, 100), (90, 70)])
    together = seer.caption('clip.mp4', film)
    assert seer.usage == Usage(requests=5, prompt_tokens=seer.usage.prompt_tokens, completion_tokens=seer.usage.completion_tokens) and seer.usage.completion_tokens <= 50
    assert together == [seer.caption('clip.mp4', [p])[0] for p in film] and len(set(together)) > 2 and all(together)


def test_threads_share_a_model(folder):
    seer, film = load('captioner', f'local:{folder("llava")}?max_tokens=6&device=cpu'), pictures(4)
    expected, got = seer.caption('x', film), {}
    threads = [threading.Thread(target=lambda i=i: got.update({i: seer.caption('x', film[i:i+1])})) for i in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert [got[i][0] for i in range(4)] == expected


def test_the_prompt_is_in_the_models_own_format(folder):
    seer = load('captioner', f'local:{folder("internvl")}?prompt=What+is+it%3F&device=cpu')
    assert seer.prompt == '<|im_start|>user\n<IMG_CONTEXT>\nWhat is it?<|im_end|>\n<|im_start|>assistant\n'
    tiles, inner = [], seer.model.generate
    seer.model.generate = lambda **inputs: tiles.append(len(inputs['pixel_values'])) or inner(**inputs)
    try: seer.caption('x', [Picture(Frame('v', 0, 0.), np.zeros((300, 900, 3), np.uint8))]*2)
    except ReplyError: pass
    assert tiles == [2]                                          # one for each frame, whatever its shape


def test_pixels_bound_what_a_free_size_model_sees(folder):
    film = [Picture(Frame('v', 0, 0.), np.zeros((400, 400, 3), np.uint8))]
    few, many = [load('captioner', f'local:{folder("qwen_vl")}?max_tokens=2&device=cpu&pixels={p}') for p in (3136, 12544)]
    for seer in few, many:
        try: seer.caption('x', film)
        except ReplyError: pass
    assert few.usage.prompt_tokens < many.usage.prompt_tokens and few.name != many.name


@pytest.mark.parametrize('bits', ['4', '8'])
def test_quantised(folder, bits):
    pytest.importorskip('bitsandbytes'); pytest.importorskip('accelerate')
    seer = load('captioner', f'local:{folder("llava")}?max_tokens=4&bits={bits}&device=cpu')
    kinds = {type(m).__name__ for m in seer.model.modules()}
    assert {'4': 'Linear4bit', '8': 'Linear8bitLt'}[bits] in kinds and f'bits={bits}' in seer.name
    assert len(seer.caption('x', pictures(2))) == 2


def test_detector(folder):
    finder, film = load('detector', f'local:{folder("dino")}?threshold=0&device=cpu&batch=2'), pictures(3, [(60, 100), (90, 70)])
    names = [['red car', 'woman in green'], ['blue pan'], []]
    found = finder.detect(film, names)
    assert [set(d.name for d in ds) <= set(ns) for ds, ns in zip(found, names)] == [True]*3 and found[0] and found[1] and found[2] == []
    for d in sum(found, []): assert 0 <= d.box[0] <= d.box[2] <= 1 and 0 <= d.box[1] <= d.box[3] <= 1 and 0 <= d.score <= 1
    assert [d.score for d in found[0]] == sorted((d.score for d in found[0]), reverse=True)
    for p, ns, ds in zip(film, names, found):
        alone = finder.detect([p], [ns])[0]
        assert [d.name for d in alone] == [d.name for d in ds] and np.allclose([d.score for d in alone], [d.score for d in ds], atol=1e-4)
    many = finder.detect(film[:1], [[f'thing {i}' for i in range(30)]])[0]
    assert len({d.name for d in many}) > 12                      # asked in parts
    assert load('detector', f'local:{folder("dino")}?threshold=1.1&device=cpu').detect(film, names) == [[], [], []]


def test_matcher(folder):
    judge, picture = load('matcher', f'local:{folder("clip")}?device=cpu&batch=2'), pictures(1)[0]
    boxes, labels = [(0., 0., .5, .5), (.2, .3, .9, 1.), (1., 1., 1., 1.)], ['red car', 'blue pan', 'woman in green']
    shares = judge.match(picture, boxes, labels)
    assert shares.shape == (3, 3) and shares.dtype == np.float32 and np.allclose(shares.sum(1), 1, atol=1e-5)
    assert np.allclose(judge.match(picture, boxes[1:2], labels), shares[1:2], atol=1e-5)
    assert judge.match(picture, [], labels).shape == (0, 3)


def test_embedder_takes_the_first_token_as_bge_does(folder):
    texts = ['A red car is waiting.', 'The traffic light is red. A woman in green is walking to the left.', '', 'pan']
    encoder = load('embedder', f'local:{folder("bge")}?device=cpu&batch=2')
    v = encoder.embed(texts)
    assert v.shape == (4, 64) and v.dtype == np.float32 and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-6)
    assert np.allclose(v, np.concatenate([encoder.embed([t]) for t in texts]), atol=1e-5) and encoder.embed([]).shape == (0, 64)
    bare = folder('bge', modules=False)
    assert np.allclose(v, load('embedder', f'local:{bare}?device=cpu&pooling=cls').embed(texts), atol=1e-5)
    assert not np.allclose(v, load('embedder', f'local:{bare}?device=cpu&pooling=mean').embed(texts), atol=1e-2)
    with pytest.raises(Stop, match='add pooling=cls'): load('embedder', f'local:{bare}?device=cpu')


def ask_all(model, numbers):
    async def together(): return await asyncio.gather(*[model.ask([{'role': 'user', 'content': f'Is {n} good? ' + 'Say. '*n}], KEEP) for n in numbers], return_exceptions=True)
    return asyncio.run(together())

def test_language_model_answers_in_batches_and_its_nonsense_is_refused(folder, tmp_path):
    spec = f'local:{folder("lm")}?max_tokens=8&device=cpu&batch=4'
    writer, sizes = load('chat', spec, store=Store(tmp_path/'s')), []
    inner = writer._write
    writer._write = lambda prompts: sizes.append(len(prompts)) or inner(prompts)
    replies = ask_all(writer, range(6))
    assert all(isinstance(r, ReplyError) and 'asked twice' in str(r) and r.usage.requests == 2 and r.usage.repaired == 1 for r in replies)
    assert max(sizes) > 1 and sum(sizes) == 12 and writer.usage.requests == 12
    again = load('chat', spec, store=Store(tmp_path/'s'))
    assert [str(r) for r in ask_all(again, range(6))] == [str(r) for r in replies] and again.usage.requests == 0 and again.usage.cached == 12
    alone = load('chat', spec)
    assert [str(ask_all(alone, [n])[0]) for n in range(6)] == [str(r) for r in replies]


def test_language_model_that_answers(folder):
    writer = load('chat', f'local:{folder("lm")}?device=cpu')
    writer._write = lambda prompts: [('<think>{}</think> {"keep": true}', True, 5, 3) for _ in prompts]
    reply = ask_all(writer, [1])[0]
    assert reply.data == {'keep': True} and reply.usage == Usage(1, 0, 0, 5, 3)


def test_folders_that_cannot_be_used(folder, tmp_path):
    import torch
    lm = folder('lm')
    with pytest.raises(Stop, match='holds a qwen2 model, which is no detector'): load('detector', f'local:{lm}?device=cpu')
    with pytest.raises(Stop, match='it is a model for text'): load('captioner', f'local:{lm}?device=cpu')
    with pytest.raises(Stop, match='holds a clip model, which is no language model'): load('chat', f'local:{folder("clip")}?device=cpu')
    with pytest.raises(Stop, match='no chat template'): load('chat', f'local:{folder("lm", template=False)}?device=cpu')
    mute = shutil.copytree(folder('llava'), tmp_path/'mute')
    (mute/'chat_template.jinja').unlink()
    with pytest.raises(Stop, match='no chat template'): load('captioner', f'local:{mute}?device=cpu')
    pickled = shutil.copytree(lm, tmp_path/'pickled')
    (pickled/'model.safetensors').unlink(); torch.save({}, pickled/'pytorch_model.bin')
    for kind in 'chat', 'embedder', 'captioner':
        with pytest.raises(Stop, match='pickled ones are not opened'): load(kind, f'local:{pickled}?device=cpu')
    broken = shutil.copytree(lm, tmp_path/'broken')
    (broken/'model.safetensors').write_bytes(b'half a download')
    with pytest.raises(Stop, match='cannot be loaded'): load('chat', f'local:{broken}?device=cpu')
    (broken/'model.safetensors.index.json').write_text(json.dumps({'weight_map': {'a': 'model.safetensors', 'b': 'model-00002.safetensors'}}))
    assert whole(lm) and not whole(broken)
    with pytest.raises(Stop, match='no complete safetensors|holds no model'): load('chat', f'local:{broken}?device=cpu')
    with pytest.raises(Stop, match='is not in the cache, and the hub cannot be reached'): load('captioner', 'local:espresso/never-made')
    with pytest.raises(Stop, match='finds no GPU'): load('chat', f'local:{lm}?device=cuda:7') if not torch.cuda.is_available() else pytest.skip('has a GPU')


def test_a_batch_too_large_is_halved(folder):
    import torch
    seer, film = load('captioner', f'local:{folder("llava")}?max_tokens=6&batch=8&device=cpu'), pictures(5)
    expected, inner, sizes = seer.caption('x', film), seer.model.generate, []
    def small(**inputs):
        sizes.append(len(inputs['input_ids']))
        if sizes[-1] > 2: raise torch.OutOfMemoryError('CUDA out of memory')
        return inner(**inputs)
    seer.model.generate = small
    with pytest.warns(UserWarning, match='going on with batch=2'): assert seer.caption('x', film) == expected
    assert sizes == [5, 4, 2, 2, 1] and seer.batches.size == 2


def test_the_room_is_cheap_to_enter():
    code = "import sys, espresso.backends.local; print([m for m in ('torch', 'transformers', 'sentence_transformers', 'openai') if m in sys.modules])"
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == '[]\n'
