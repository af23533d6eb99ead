"""Selection under odd videos, odd models and random numbers."""
import json, shutil, tempfile
from pathlib import Path
import numpy as np, pytest
from hypothesis import given, settings, strategies as st
from espresso.records import Stop
from espresso.selector.budget import Chosen, Limit, budget, cut, even
from espresso.selector.index import Index
from espresso.selector.published import bandit, inverse_transform, score_and_coverage
from espresso.selector.select import STRATEGIES, select
from espresso.selector.shortlist import stretches
from espresso.selector.similar import dpp, mmr, ranked, top
from espresso.video import VideoError, write_video

QUESTION = 'Why did the blue car stop before the crossing?'

class Words:
    "A text encoder of letters"
    name = 'letters'
    def embed(self, texts):
        v = np.array([[t.lower().count(c) + .01 for c in 'abcdefghij'] for t in texts], np.float32)
        return v/np.linalg.norm(v, axis=1, keepdims=True)

class Numbers:
    "A captioner that counts"
    name = 'numbers'
    def __init__(self, same=False): self.same, self.seen = same, 0
    def caption(self, path, pictures): self.seen += len(pictures); return ['The same.' if self.same else f'{"abcdefghij"[p.frame.index % 10]*3} at {p.frame.index}.' for p in pictures]

class Flat:
    "An image-text model without opinions"
    name, dim = 'flat', 4
    def see(self, images): return np.tile(np.float32([1, 0, 0, 0]), (len(images), 1))
    def read(self, texts): return np.tile(np.float32([1, 0, 0, 0]), (len(texts), 1))

class Says:
    "A reader that always replies the same"
    flops, name = 0., 'says'
    def __init__(self, said): self.said = said
    def read(self, text): return text
    def write(self, memory, rest, tokens): return self.said
    def told_apart(self, options): return len(options)
    def weigh(self, memory, rest, options): return np.full(len(options), -np.log(len(options)))

def film(path, frames, fps=2, seed=0):
    rng = np.random.default_rng(seed)
    write_video(path, [np.full((48, 64, 3), rng.integers(0, 255, 3), np.uint8) for _ in range(frames)], fps=fps)
    return path

@pytest.fixture
def clip(tmp_path): return film(tmp_path/'clip.mp4', 24)

def test_one_frame(tmp_path):
    index = Index(film(tmp_path/'one.mp4', 1), tmp_path/'i', captioner=Numbers(), embedder=Words(), viewer=Flat(), reader=Says('[0]'))
    for name in 'uniform', 'every', 'chance', 'caption_top', 'caption_mmr', 'image_top', 'image_dpp', 'bolt', 'aks', 'focus', 'picks', 'weighed', 'ours':
        assert select(index, QUESTION, 4, name).places == (0,), name

@pytest.mark.parametrize('given, fault', [('frames=0', 'leaves nothing'), ('frames=-2', 'leaves nothing'), ('frames=nan', 'cannot be read'), ('tokens=10', 'pays for no frame'), ('', 'cannot be read'), ('flops=1', 'pays for no frame')])
def test_a_budget_of_nothing(clip, tmp_path, given, fault):
    with pytest.raises(Stop, match=fault): select(Index(clip, tmp_path/'i'), QUESTION, given, 'uniform')

def test_a_budget_above_the_video_says_so(clip, tmp_path):
    s = select(Index(clip, tmp_path/'i'), QUESTION, 'frames=99', 'uniform')
    assert len(s.frames) == 12 and 'fewer than the 99' in s.why and not s.fell_back

def test_an_empty_question(clip, tmp_path):
    with pytest.raises(Stop, match='the question is empty'): select(Index(clip, tmp_path/'i'), ' \n')

@pytest.mark.parametrize('name', ['ours', 'image_top', 'image_mmr', 'image_dpp', 'bolt', 'aks'])
def test_a_question_about_nothing_is_said(clip, tmp_path, name):
    s = select(Index(clip, tmp_path/'i', viewer=Flat()), 'Where is the zebra?', 3, name)
    assert s.fell_back and 'equally' in s.why and 'evenly spread instead' in s.why and len(s.frames) == 3

@pytest.mark.parametrize('name, models', [('caption_top', dict(captioner=Numbers(same=True), embedder=Words())), ('caption_mmr', dict(captioner=Numbers(same=True), embedder=Words())), ('weighed', dict(captioner=Numbers(), reader=Says(''))),
                                          ('ours', dict(captioner=Numbers(), reader=Says(''))), ('ours', dict(captioner=Numbers(same=True), embedder=Words())), ('ours', dict(captioner=Numbers(same=True), reader=Says('')))])
def test_captions_that_all_say_as_much_are_no_reason(clip, tmp_path, name, models):
    s = select(Index(clip, tmp_path/'i', **models), 'Where is the zebra?', 3, name)
    assert s.fell_back and ('equally' in s.why or 'more than another' in s.why) and 'evenly spread instead' in s.why and len(s.frames) == 3

@pytest.mark.parametrize('said, places, why', [('[1][1][99]', 1, 'named 99'), ('[2][2]', 1, 'named a frame twice'), ('none', 4, 'named no frame that exists'), ('[-1]', 4, 'named no frame that exists'), ('', 4, 'evenly spread instead')])
def test_a_model_that_names_what_is_not_there(clip, tmp_path, said, places, why):
    s = select(Index(clip, tmp_path/'i', captioner=Numbers(), reader=Says(said)), QUESTION, 4, 'picks')
    assert len(s.places) == places and why in s.why and s.fell_back == (places == 4)

def test_an_index_of_a_changed_file(clip, tmp_path):
    index = Index(clip, tmp_path/'i'); film(clip, 24, seed=1)
    with pytest.raises(Stop, match='has changed since'): Index(clip, tmp_path/'i')
    assert Index(clip, tmp_path/'i', rebuild=True).about['video'] != index.about['video']

def test_an_index_by_another_version_of_a_model(clip, tmp_path):
    Index(clip, tmp_path/'i', viewer=Flat()).seen()
    newer = Flat(); newer.name = 'flat 2'
    with pytest.raises(Stop, match='made by the viewer flat, and flat 2 is another'): Index(clip, tmp_path/'i', viewer=newer).seen([0])

def test_a_strategy_that_breaks_its_word(clip, tmp_path):
    with pytest.raises(ValueError, match='where 2 were allowed'): select(Index(clip, tmp_path/'i'), QUESTION, 2, lambda i, q, at: Chosen((0, 1, 2)))

def test_captions_are_made_once_and_survive(clip, tmp_path):
    who = Numbers()
    index = Index(clip, tmp_path/'i', captioner=who, embedder=Words())
    for q in QUESTION, 'What else?', 'And then?': select(index, q, 3, 'caption_top')
    select(Index(clip, tmp_path/'i', captioner=who, embedder=Words()), QUESTION, 3, 'caption_top')
    assert who.seen == 12

def test_a_shortlist_describes_few(tmp_path):
    who = Numbers()
    index = Index(film(tmp_path/'long.mp4', 200), tmp_path/'i', captioner=who, embedder=Words())
    s = select(index, QUESTION, 'frames<=4', 'ours')
    assert who.seen == s.cost.captioned <= 20 and 1 <= len(s.frames) <= 4 and 'were described' in s.why

def test_a_video_is_looked_at_where_it_differs(tmp_path):
    class Finder(Flat):
        "Knows bright frames"
        def see(self, images): v = np.array([[1, i.mean()/255, 0, 0] for i in images], np.float32); return v/np.linalg.norm(v, axis=1, keepdims=True)
        def read(self, texts): return np.tile(np.float32([0, 1, 0, 0]), (len(texts), 1))
    who = Numbers()
    index = Index(film(tmp_path/'long.mp4', 800), tmp_path/'i', captioner=who, embedder=Words(), viewer=Finder())
    s = select(index, QUESTION, 'frames<=4', 'ours')
    assert len(index) == 400 and s.cost.viewed == 60 and s.cost.captioned == 0 and not s.fell_back
    assert s.places[int(np.argmax(s.scores[list(s.places)]))] == int(np.nanargmax(s.scores)) # the brightest is among them
    assert select(index, 'What else?', 'frames<=4', 'ours').cost.viewed == 0

def test_a_half_made_index_is_made_anew(clip, tmp_path):
    Index(clip, tmp_path/'i'); (tmp_path/'i'/'index.json').unlink(); (tmp_path/'i'/'captions.sqlite').unlink()
    for f in (tmp_path/'i').glob('captions.sqlite-*'): f.unlink()
    assert len(Index(clip, tmp_path/'i')) == 12

def test_no_video(tmp_path):
    (tmp_path/'x.mp4').write_bytes(b'')
    with pytest.raises(VideoError, match='is empty'): Index(tmp_path/'x.mp4', tmp_path/'i')

vectors = st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**31), st.integers(1, n), st.booleans()))

@settings(max_examples=60, deadline=None)
@given(vectors)
def test_rules_keep_their_word(given):
    n, seed, k, exact = given
    rng = np.random.default_rng(seed); at = Limit(k, exact)
    s = rng.random(n); v = rng.standard_normal((n, 6)); v /= np.linalg.norm(v, axis=1, keepdims=True)
    if n > 3: s[rng.integers(0, n)] = np.nan
    known = int((~np.isnan(s)).sum())
    for rule in (lambda: top(s, v, at), lambda: mmr(s, v, at), lambda: dpp(s, v, at), lambda: inverse_transform(s, at), lambda: score_and_coverage(s, at)):
        a, b = rule(), rule()
        assert a == b and len(a) == len(set(a)) and 1 <= len(a) <= k and all(0 <= i < n and not np.isnan(s[i]) for i in a)
        if exact: assert len(a) == min(k, known)
    assert even(n, k) == sorted(set(even(n, k))) and len(even(n, k)) == k

class Any(Words):
    "Viewer, captioner, encoder and reader of random opinions, the same for the same seed"
    dim, flops = 6, 0.
    def __init__(self, seed): self.seed, self.name = seed, f'any {seed}'
    def vector(self, key): v = np.random.default_rng([self.seed, *str(key).encode()]).standard_normal(6).astype(np.float32); return v/np.linalg.norm(v)
    def see(self, images): return np.stack([self.vector(i.tobytes()[:64]) for i in images])
    def read(self, texts): return texts if isinstance(texts, str) else np.stack([self.vector(t) for t in texts])
    def caption(self, path, pictures): return [f'Thing {int(abs(self.vector(p.frame.index)[0])*9)}.' for p in pictures]
    def write(self, memory, rest, tokens): return ''.join(f'[{int(abs(x)*9)}]' for x in self.vector(memory + rest))
    def told_apart(self, options): return min(len(options), 5)
    def weigh(self, memory, rest, options): v = np.array([self.vector(memory + rest + o)[0] for o in options]); return v - np.log(np.exp(v).sum())

@pytest.fixture(scope='module')
def reel(tmp_path_factory): return film(tmp_path_factory.mktemp('reel')/'reel.mp4', 40)

@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 25), st.booleans())
def test_strategies_keep_their_word(reel, seed, k, exact):
    def once(name, looks=True, **how):
        with tempfile.TemporaryDirectory() as folder:
            models = dict(captioner=Any(seed), embedder=Any(seed), reader=Any(seed)) | (dict(viewer=Any(seed)) if looks else {})
            return select(Index(reel, Path(folder)/'i', **models), QUESTION, f'frames{"" if exact else "<"}={k}', name, **how)
    runs = [(n, {}) for n in STRATEGIES if n not in ('chance', 'focus', 'oracle')] + [(n, dict(seed=seed)) for n in ('chance', 'focus')] + [('oracle', dict(core=[1., (3., 7.)])), ('ours', dict(looks=False))]
    for name, how in runs:
        a, b = once(name, **how), once(name, **how)
        assert a.places == b.places and list(a.places) == sorted(set(a.places)) and 1 <= len(a.places) <= min(k, 20), name
        assert a.times == sorted(a.times) and a.why and a.cost.captioned <= 20 and a.cost.viewed <= 20, name

@settings(max_examples=40, deadline=None)
@given(vectors)
def test_more_budget_keeps_what_was_chosen(given):
    n, seed, k, _ = given
    rng = np.random.default_rng(seed); s = rng.random(n); v = rng.standard_normal((n, 6)); v /= np.linalg.norm(v, axis=1, keepdims=True)
    for rule in (lambda m: top(s, v, Limit(m, True)), lambda m: mmr(s, v, Limit(m, True)), lambda m: dpp(s, v, Limit(m, True))):
        assert set(rule(k)) <= set(rule(min(n, k+1)))
    better = s.copy(); better[0] = 2.
    assert 0 in top(better, v, Limit(1, True)) and 0 in inverse_transform(better, Limit(n, True)) and 0 in score_and_coverage(better, Limit(k, True))

@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 99))
def test_a_bandit_looks_no_further_than_allowed(n, draws, seed):
    hill, looked = np.random.default_rng(seed).random(n), []
    def look(ks): looked.extend(ks); return hill[ks]
    s = bandit(look, n, draws, seed=seed)
    assert len(looked) == len(set(looked)) == min(n, draws) == int((~np.isnan(s)).sum())
    assert np.array_equal(s, bandit(lambda ks: hill[ks], n, draws, seed=seed), equal_nan=True)

@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 99))
def test_stretches_cover_time(n, most, seed):
    parts = stretches(np.random.default_rng(seed).standard_normal((n, 3)), most)
    assert [k for p in parts for k in p] == list(range(n)) and len(parts) == min(n, most)
