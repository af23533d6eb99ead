"""Every class of model through the same path: one prefill against two requests, batches against single questions; and models that cannot take part."""
import csv, json, random, shutil
from pathlib import Path
import numpy as np, pytest, torch, transformers
from safetensors.torch import load_file, save_file
import tiny
from espresso.dataset.markup import mark, plain
from espresso.reasoner.adapter import adapter_name
from espresso.reasoner.inference import answer
from espresso.reasoner.model import Ask, reasoner
from espresso.reasoner.slips import boxes_in, mend
from espresso.reasoner.work import counter
from espresso.records import Frame, KeyItem, Stop
from espresso.video import Picture

transformers.utils.logging.disable_progress_bar()
CLASSES = ['llava', 'llava15', 'internvl', 'qwen2_vl', 'qwen_vl', 'qwen3_vl', 'smolvlm', 'llava_next_video', 'llava_onevision']
MODELS = list(csv.DictReader((Path(__file__).parent.parent/'papers'/'videoespresso'/'models.csv').open()))

@pytest.fixture(scope='module', params=CLASSES)
def model(request, tmp_path_factory):
    return reasoner(str(getattr(tiny, request.param)(tmp_path_factory.mktemp(request.param))))

def asked(n, question, seed=0, size=(48, 64), **more):
    rng = np.random.default_rng(seed)
    return Ask(question, tuple(Picture(Frame('v', 30*t, float(t)), rng.integers(0, 255, (*size, 3), np.uint8)) for t in range(n)), **more)

ASKS = [asked(3, 'Why does the red car wait?', 1), asked(1, 'Is the pan blue?', 2), asked(2, 'Who walks to the left, and when?', 3)]

def test_one_prefill_says_what_two_say(model):
    ends = model.ends
    together = answer(model, ASKS, limits=(10, 6))
    for a, p in zip(ASKS, together):
        two = tiny.two_passes(model, a, (10, 6))
        assert (p.evidence, p.answer) == tuple(map(model.text, two))
        alone = answer(model, [a], limits=(10, 6))[0]
        assert (alone.evidence, alone.answer, alone.prompt_tokens) == (p.evidence, p.answer, p.prompt_tokens)
    try: # evidence that ends early in one row: the others go on, with a gap in their memory
        model.ends = sorted({*ends, tiny.two_passes(model, ASKS[0], (4, 1))[0][-1]})
        short = answer(model, ASKS, limits=(10, 6))
        assert short[0].evidence_tokens <= 4
        for a, p in zip(ASKS, short): assert (p.evidence, p.answer) == tuple(map(model.text, tiny.two_passes(model, a, (10, 6))))
    finally: model.ends = ends

def test_frames_stand_beside_their_times(model):
    "The picture's tokens come between its time and the next one's, in every class"
    ids = model.encode([ASKS[0]])['input_ids'][0].tolist()
    text = model.tokenizer.decode(ids)
    pieces = text.split('<frame at ')[1:]
    assert [p[:5] for p in pieces] == ['0.0 s', '1.0 s', '2.0 s']
    assert all(model.processor.image_token in p for p in pieces)

def test_a_frame_is_one_tile(model):
    "A wide frame, which InternVL and SmolVLM would cut up, costs about as much as a square one"
    wide, square = (int((model.encode([asked(1, 'Who?', size=s)])['input_ids'] == model.processor.image_token_id).sum()) for s in ((90, 270), (150, 150)))
    assert wide <= 1.5*square

def test_work_is_what_the_counter_counts(model):
    model.work.picture.clear()
    p = answer(model, [ASKS[0]], limits=(3, 2))[0]
    with counter() as seen: again = answer(model, [ASKS[0]], limits=(3, 2))[0]
    assert again.flops == p.flops and abs(p.flops/seen.get_total_flops() - 1) < .01

def test_a_question_without_pictures(model):
    "A control of benchmarks: how much is answered without looking"
    p = answer(model, [Ask('Why does the red car wait?', ())], limits=(4, 4))[0]
    assert p.frames == () and p.answer_tokens

def test_the_papers_models_are_native_or_served(tmp_path):
    "Every model of Table 1 and of the leaderboard names the class that runs it, and that class is among those that all tests here go through; or it is served, and why"
    assert [m['name'] for m in MODELS if m['list'] == 'Table 1'] == ['GPT-4o', 'Qwen-VL-Max', 'LLaVA-1.5', 'InternVL2', 'LLaVA-N-Inter', 'Qwen2-VL', 'LongVA-DPO', 'mPLUG-Owl3', 'LLaVA-N-Video']
    assert sum(m['list'] == 'leaderboard' for m in MODELS) == 15
    run = {transformers.AutoConfig.from_pretrained(getattr(tiny, c)(tmp_path/c)).architectures[0] for c in CLASSES}
    for m in MODELS: assert m['how'] in run or m['how'] == 'chat:' and m['reason'], m

def copied(make, tmp_path, **changed):
    "A tiny model's folder with some files changed or, with None, taken away"
    folder = make(tmp_path/'model')
    for name, change in changed.items():
        file = next(f for f in folder.iterdir() if f.name.replace('.', '_') == name)
        if change is None: file.unlink()
        else: file.write_text(json.dumps(change(json.loads(file.read_text()))))
    return folder

def test_models_that_cannot_take_part(tmp_path):
    with pytest.raises(Stop, match='is no reasoner over pictures'): reasoner(str(tiny.lm(tmp_path/'lm')))
    with pytest.raises(Stop, match='is no reasoner over pictures'): reasoner(str(tiny.dino(tmp_path/'dino')))
    with pytest.raises(Stop, match='does not know the kind of model'): reasoner(str(copied(tiny.llava, tmp_path/'a', config_json=lambda c: {**c, 'model_type': 'llava_of_tomorrow'})))
    bare = tiny.llava(tmp_path/'b')
    for f in bare.glob('chat_template*'): f.unlink()
    tok = json.loads((bare/'tokenizer_config.json').read_text()); tok.pop('chat_template', None); (bare/'tokenizer_config.json').write_text(json.dumps(tok))
    with pytest.raises(Stop, match='no chat template'): reasoner(str(bare))
    old = tiny.llava(tmp_path/'c')
    torch.save({}, old/'pytorch_model.bin'); (old/'model.safetensors').unlink()
    with pytest.raises(Stop, match='pickled'): reasoner(str(old))

def test_an_adapter_apart_merged_and_on_four_bits(tmp_path):
    pytest.importorskip('peft'); pytest.importorskip('bitsandbytes')
    base = str(tiny.llava(tmp_path/'base'))
    mine = str(tiny.adapter(tmp_path/'mine', base))
    def said(**how):
        r = reasoner(base, device='cpu', **how)
        p, = answer(r, ASKS[:1], limits=(8, 4))
        return r.name, p.evidence + p.answer, type(r.model).__name__
    plain, apart, merged = said(), said(adapter=mine), said(adapter=mine, merge=True)
    assert plain[1] != apart[1] and apart == merged, 'the same name and the same words, merged or not'
    assert apart[0] == f'{plain[0]}?adapter={adapter_name(mine)}' and apart[2] == 'LlavaForConditionalGeneration'
    four, both = said(bits='4'), said(bits='4', adapter=mine)
    assert four[1] != both[1] and '?bits=4&adapter=mine@' in both[0]
    with pytest.raises(Stop, match='leave out merge, or bits'): said(bits='4', adapter=mine, merge=True)

def test_adapters_that_do_not_fit(tmp_path):
    pytest.importorskip('peft')
    base, other = str(tiny.llava(tmp_path/'base')), str(tiny.qwen_vl(tmp_path/'other'))
    def refused(why, folder, model=base):
        with pytest.raises(Stop, match=why) as e: reasoner(model, adapter=str(folder))
        assert '\n' not in str(e.value) and len(str(e.value)) < 400
    mine = tiny.adapter(tmp_path/'mine', base)
    refused('made for LlavaForConditionalGeneration, this is Qwen2_5_VLForConditionalGeneration', mine, other)
    for f, key, value, why in [('a', 'auto_mapping', None, 'its target modules are not there|for which the base has no place|other shapes'), ('b', 'peft_type', 'IA3', 'only LoRA is read here')]:
        shutil.copytree(mine, tmp_path/f)
        said = json.loads((tmp_path/f/'adapter_config.json').read_text())
        (tmp_path/f/'adapter_config.json').write_text(json.dumps(said | {key: value, 'target_modules': ['c_attn']}))
        refused(why, tmp_path/f)
    for f, name, why in [('c', 'adapter_config.json', 'lacks adapter_config.json'), ('d', 'adapter_model.safetensors', 'lacks adapter_model.safetensors')]:
        shutil.copytree(mine, tmp_path/f); (tmp_path/f/name).unlink()
        refused(why, tmp_path/f)
    torch.save({}, tmp_path/'d'/'adapter_model.bin'); refused('is pickled', tmp_path/'d')
    refused('there is no adapter folder', tmp_path/'nowhere')
    (tmp_path/'c'/'adapter_config.json').write_text('{'); refused('cannot be read', tmp_path/'c')

@pytest.mark.parametrize('kind', ['llava', 'internvl', 'qwen3_vl'])
def test_weights_that_are_not_there(kind, tmp_path):
    "No random numbers stand in for them, on any number of bits"
    folder = getattr(tiny, kind)(tmp_path/kind)
    weights = load_file(folder/'model.safetensors'); gone = sorted(k for k in weights if 'down_proj' in k)[0]
    save_file({k: v for k, v in weights.items() if k != gone}, folder/'model.safetensors', {'format': 'pt'})
    for bits in '', '4':
        with pytest.raises(Stop, match='lacks 1 of the weights that its config.json asks for, the first is .*down_proj'): reasoner(str(folder), bits=bits, device='cpu')
    save_file({f'foo.{k}': v for k, v in weights.items()}, folder/'model.safetensors', {'format': 'pt'})
    with pytest.raises(Stop, match=r'lacks \d+ of the weights'): reasoner(str(folder))

def test_a_reply_ends_where_the_places_end(tmp_path):
    "Evidence makes room for the answer, and both say that they were cut"
    r = reasoner(str(tiny.llava(tmp_path/'a')))
    text = r.model.config.get_text_config()
    free = answer(r, ASKS[:1], limits=(30, 20))[0]
    read = free.prompt_tokens
    assert free.evidence_tokens + free.answer_tokens > 25 # else there is nothing to cut
    text.max_position_embeddings = read + 25
    p = answer(r, ASKS[:1], limits=(30, 20))[0]
    assert p.prompt_tokens + p.evidence_tokens + p.answer_tokens == read + 25 and p.cut and p.answer_tokens and p.evidence_tokens
    text.max_position_embeddings = read + 1
    with pytest.raises(ValueError, match='leave no room to write'): answer(r, ASKS[:1], limits=(30, 20))
    with pytest.raises(Stop, match='at least one'): answer(r, ASKS[:1], limits=(0, 20))

def test_a_template_with_white_space_of_its_own(tmp_path):
    "LLaVA-OneVision writes `assistant ` before a reply that is there and `assistant` and a line's end before one that is due"
    folder = tiny.llava(tmp_path/'a')
    usual = reasoner(str(folder))
    template = ("{% for m in messages %}<|im_start|>{{ m['role'] }} {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% endif %}{% endfor %}"
                "{% for c in m['content'] %}{% if c['type'] == 'text' %}\n{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
    for f in folder.glob('chat_template*'): f.unlink()
    (folder/'chat_template.jinja').write_text(template)
    r = reasoner(str(folder))
    assert r.bridge and len(r.bridge) <= len(usual.bridge) + 6 and answer(r, ASKS[:1], limits=(4, 3))[0].answer_tokens

def test_half_a_file(tmp_path):
    cut = tiny.llava(tmp_path/'d')
    whole = (cut/'model.safetensors').read_bytes()
    (cut/'model.safetensors').write_bytes(whole[:len(whole)//2])
    with pytest.raises(Stop, match='cannot be loaded'): reasoner(str(cut))


NAMES = ['red car', 'woman in green', 'light', 'pan']

def evidence(rng):
    "A sentence with marked things, as the dataset writes them"
    names = rng.sample(NAMES, rng.randint(1, 4))
    def box(): x, y = rng.random()*.8, rng.random()*.8; return (x, y, x + .1 + rng.random()*.1, y + .1 + rng.random()*.1)
    items = [KeyItem(n, Frame('v', k, float(k)), box() if rng.random() < .8 else None, .9, .9) for n in names for k in range(rng.randint(1, 3))]
    return mark('First the ' + ', then the '.join(names) + ' is seen < 3 times [twice].', items)

def test_good_markup_is_kept_to_the_letter():
    rng = random.Random(0)
    for _ in range(300): text = evidence(rng); assert mend(text) == text

def test_any_damage_leaves_the_words_and_no_tag():
    "One tag lost, doubled or misspelt, or the end missing: mending never fails, is done after one time, and leaves no tag in the plain words"
    rng = random.Random(1)
    for _ in range(600):
        text = evidence(rng)
        tag = rng.choice(['<obj_start>', '<obj_end>', '<box_start>', '<box_end>'])
        at = [i for i in range(len(text)) if text.startswith(tag, i)]
        i = rng.choice(at)
        hurt = rng.choice([text[:i] + text[i+len(tag):], text[:i] + tag + text[i:], text[:i] + tag.upper() + text[i+len(tag):], text[:rng.randrange(len(text))]])
        good = mend(hurt)
        assert mend(good) == good and not any(t in plain(good) for t in ('obj_', 'box_')), hurt
        for _, frame, (x0, y0, x1, y1) in boxes_in(hurt, [0., 1.]): assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
        if hurt == text.replace(tag, tag.upper()): assert good == text
    for junk in ('<obj_start>'*50, '<box_start>[[[[', 'x'*5000, '<obj_start><obj_end><box_start>[]<box_end>', '<obj_start>a<obj_end><box_start>' + '[1e999,2,3,4]'*3): mend(junk), boxes_in(junk, [0.])

@pytest.mark.parametrize('kind', ['llava', 'internvl', 'qwen_vl'])
def test_work_is_the_same_on_four_bits(kind, tmp_path):
    "Quantised products are counted by their shapes; they are as many"
    pytest.importorskip('bitsandbytes')
    folder = str(getattr(tiny, kind)(tmp_path/kind))
    whole, four = (answer(reasoner(folder, bits=bits, device='cpu'), [ASKS[0]], limits=(1, 1))[0] for bits in ('', '4'))
    assert four.flops == pytest.approx(whole.flops, rel=.01)
