"Dedup: the fast walk equals the plain loop on every row, whatever the vectors"
import numpy as np, pytest
from hypothesis import HealthCheck, given, settings, strategies as st
import espresso.dataset.dedup as module
from espresso.dataset.dedup import by_video, dedup, keep_mask, keep_plain, similarity
from espresso.records import Caption, Drop, Frame


def walks(seed, n, d, step, cuts, repeats):
    "Unit vectors that drift, cut and repeat"
    rng = np.random.default_rng(seed)
    v = np.cumsum(rng.standard_normal((n, d)) * np.where(rng.random((n, 1)) < cuts, 10, step), 0) + rng.standard_normal(d)
    v = (v/np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)
    for i in range(1, n):
        if rng.random() < repeats: v[i] = v[rng.integers(max(0, i-3), i)]
    return v


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), n=st.integers(1, 800), d=st.sampled_from([2, 3, 17, 384]), step=st.sampled_from([0., .01, .1, 1.]), cuts=st.sampled_from([0., .02, .5]),
       repeats=st.sampled_from([0., .5, .95]), videos=st.integers(1, 60), lane=st.sampled_from([1, 3, 256]), chunk=st.sampled_from([7, 64, 65536]), data=st.data())
def test_fast_equals_plain(seed, n, d, step, cuts, repeats, videos, lane, chunk, data):
    v = walks(seed, n, d, step, cuts, repeats)
    rng = np.random.default_rng(seed)
    starts = np.union1d(0, rng.integers(0, n, videos))
    i, j = rng.integers(0, n, 2)
    tau = data.draw(st.sampled_from([0., .5, .9, .999, 1., similarity(v[i], v[j])]))   # the last lies exactly on a pair
    lanes, chunks = module.LANE, module.CHUNK
    try:
        module.LANE, module.CHUNK = lane, chunk
        fast = keep_mask(v, starts, tau)
    finally: module.LANE, module.CHUNK = lanes, chunks
    assert np.array_equal(fast, keep_plain(v, starts, tau))
    assert fast[starts].all()


def test_close_calls_are_decided_in_double_precision():
    "Thousands of pairs within the rounding of single precision around tau"
    rng = np.random.default_rng(1)
    base = rng.standard_normal(384); base /= np.linalg.norm(base)
    other = rng.standard_normal((4000, 384)); other -= (other @ base)[:, None]*base; other /= np.linalg.norm(other, axis=1, keepdims=True)
    cos = .9 + rng.uniform(-1e-7, 1e-7, (4000, 1))
    v = np.empty((8000, 384), np.float32)
    v[::2], v[1::2] = base, cos*base + np.sqrt(1-cos**2)*other
    starts = np.arange(0, 8000, 2)
    keep = keep_mask(v, starts, .9)
    assert np.array_equal(keep, keep_plain(v, starts, .9))
    assert 1000 < keep[1::2].sum() < 3000


def test_removed_rows_are_similar_to_a_kept_one_and_neighbours_kept_are_not():
    v = walks(3, 2000, 16, .05, .05, .3)
    keep = keep_mask(v, [0], .9)
    last = None
    for row, k in zip(v, keep):
        if k: assert last is None or similarity(row, last) < .9; last = row
        else: assert similarity(row, last) >= .9


def test_memory_map_is_read_in_pieces(tmp_path):
    import tracemalloc
    v = walks(5, 1000, 64, .1, .05, 0)
    path = tmp_path/'v.f32'
    with open(path, 'wb') as f:
        for _ in range(200): f.write(v.tobytes())
    big = np.memmap(path, np.float32, 'r', shape=(200_000, 64))
    tracemalloc.start(); keep = keep_mask(big, np.arange(0, 200_000, 1000), .9); peak = tracemalloc.get_traced_memory()[1]; tracemalloc.stop()
    assert peak < big.nbytes/5
    assert np.array_equal(keep[:1000], keep_plain(v, [0], .9)) and np.array_equal(keep[:1000], keep[-1000:])


class Letters:
    "Texts of one letter each: equal letters are equal vectors, others at a right angle"
    name = 'letters'
    def embed(self, texts): return np.eye(26, dtype=np.float32)[[ord(t)-97 for t in texts]]


@given(st.lists(st.tuples(st.sampled_from('uvw'), st.sampled_from('abc')), min_size=1, max_size=60))
def test_totals_balance_and_runs_of_equal_captions_keep_their_first(said):
    captions = [Caption(Frame(v, i, i/2), t, 'm') for i, (v, t) in enumerate(said)]
    for group in by_video(captions):
        result = dedup(group, Letters(), .5)
        assert len(result) == len(group)
        kept = [r for r in result if isinstance(r, Caption)]
        assert kept == [c for i, c in enumerate(group) if i == 0 or c.text != group[i-1].text]
        assert {r.reason for r in result if isinstance(r, Drop)} <= {'similar to the frame before'}


def test_bad_vectors_are_named():
    v = walks(0, 100, 8, .1, 0, 0); v[42] = np.nan
    with pytest.raises(ValueError, match='row 42'): keep_mask(v, [0], .9)
