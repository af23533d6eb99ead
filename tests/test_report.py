"""The report page as a person meets it: opened from the file in Chromium, without a network."""
import copy, os, shutil
from pathlib import Path
import pytest
from conftest import espresso
from espresso.paper.gathered import gathered
from espresso.paper.report import page
from espresso.paper.stills import stills

root = Path(__file__).parent.parent
SHOTS = root/'outputs'/'screenshots' # git-ignored
CHROMIUM = next((p for n in ('chromium', 'chromium-browser', 'google-chrome') if (p := shutil.which(n))), None)
QUIET = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split()

@pytest.fixture(scope='module')
def browser():
    if CHROMIUM is None: pytest.skip('there is no Chromium on this machine, so the report page is not opened (Debian: apt-get install chromium)')
    api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed, so the report page is not opened (pip install -e .[dev])')
    with api.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield b
        b.close()

@pytest.fixture
def opened(browser):
    "Open a page; whatever it complains of, or asks a network for, fails the test at its end"
    contexts, faults = [], []
    def show(file, width=1400, height=900, scheme='light', part=''):
        c = browser.new_context(viewport=dict(width=width, height=height), color_scheme=scheme, offline=True)
        c.set_default_timeout(180_000) # A busy machine is no fault of the page
        contexts.append(c)
        p = c.new_page()
        p.on('console', lambda m: faults.append(m.text) if m.type in ('error', 'warning') else None)
        p.on('pageerror', lambda e: faults.append(str(e)))
        p.on('request', lambda r: faults.append(f'asked for {r.url[:80]}') if r.url.split(':')[0] not in ('file', 'data') else None)
        p.goto(f'{Path(file).as_uri()}{part}')
        p.wait_for_function('document.documentElement.dataset.ready')
        return p
    yield show
    for c in contexts: c.close()
    assert not faults

@pytest.fixture(scope='module')
def small(run, tmp_path_factory):
    "The page of a small run, made by the command; made again in another process it is the same, byte for byte"
    file = tmp_path_factory.mktemp('report')/'report.html'
    for seed in '1', '2':
        r = espresso('report', '--run', run[0], '--out', file.with_name(f'{seed}.html'), env=os.environ | dict(PYTHONHASHSEED=seed))
        assert r.returncode == 0, r.stderr
    assert file.with_name('1.html').read_bytes() == file.with_name('2.html').read_bytes()
    assert str(run[0]) not in file.with_name('1.html').read_text()
    return file.with_name('1.html')

WILD = '<img src=x onerror=alert(1)> </script><b>Why?'

@pytest.fixture(scope='module')
def many(tmp_path_factory):
    "Ten thousand questions: those of the fixtures over and over, some answered, judged or refused"
    data = gathered(root/'nbs'/'fixtures')
    data |= stills(data, root/'nbs'/'fixtures')
    steps, rows = ('right', 'too far', 'distractor closer'), []
    for n in range(10_000):
        q = copy.deepcopy(data['questions'][n % len(data['questions'])]) | dict(id=f'{n:016x}', question=f'Question {n}: why does the car stop, and what happens before that?')
        if n % 3 == 0: q['score'] = dict(step=steps[n % 9//3], right=n % 9 == 0, exact=False, reference=.5, distractors=[.4, .3, .2], encoder='made up', bar=.8)
        if n % 7 == 0: q |= dict(fate='qa: subjective', verdict='subjective', why='It asks for taste.', video=-1, cited=[], core=[], items=[])
        rows.append(q)
    rows[1]['question'] = WILD
    file = tmp_path_factory.mktemp('many')/'report.html'
    file.write_text(page(data | dict(questions=rows)))
    return file, rows

def rows_in(p, part): return p.locator(f'#part-{part} .row')
def tab(p): return p.locator('#tabs [aria-selected=true]').evaluate('e => e.firstChild.textContent')
def counted(p, part): return p.locator(f'#part-{part} .count').text_content()

PLAIN = '''async () => { // The same window full of plain text, scrolled: what this machine can do at all
  const host = document.createElement('pre'), times = []
  host.style.cssText = 'position:fixed; inset:0; margin:0; overflow:auto; background:#888; z-index:9'; host.textContent = 'plain text '.repeat(12).concat('\\n').repeat(3000); document.body.append(host)
  for (let n = 0, last = performance.now(); n < 60; n++) { host.scrollTop = (n * 7919) % 30000; await new Promise(requestAnimationFrame); const now = performance.now(); times.push(now - last); last = now }
  host.remove()
  return times.sort((a, b) => a - b)[30] }'''

SCROLL = '''async ([part, step, jumps]) => {
  const host = document.querySelector(`#part-${part} .list`), frame = () => new Promise(requestAnimationFrame), times = []
  let rows = 0
  await frame()
  for (let n = 0, last = performance.now(); n < 60; n++) {
    host.scrollTop = jumps ? (n * 7919 * 74) % (host.scrollHeight - host.clientHeight) : host.scrollTop + step
    await frame()
    const now = performance.now(); times.push(now - last); last = now
    rows = Math.max(rows, host.querySelectorAll('[role=option]').length)
  }
  times.sort((a, b) => a - b)
  return { median: times[30], late: times[57], rows, empty: host.querySelectorAll('[role=option]').length === 0, at: host.scrollTop }
}'''

def test_ten_thousand_rows_scroll_under_50_ms_a_frame(opened, many):
    "By the time the page computes for a frame; by the clock too, where the machine is free enough to scroll plain text at a third of that"
    p = opened(many[0], part='#questions')
    assert counted(p, 'Questions') == '10,000 of 10,000 questions'
    cdp = p.context.new_cdp_session(p)
    cdp.send('Performance.enable', dict(timeDomain='threadTicks'))
    def computed(): return next(m['value'] for m in cdp.send('Performance.getMetrics')['metrics'] if m['name'] == 'TaskDuration')
    for step, jumps in ((500, False), (0, True)):
        for trial in range(3): # Whoever else works on the machine can only make it slower
            plain, before = p.evaluate(PLAIN), computed()
            got = p.evaluate(SCROLL, ['Questions', step, jumps])
            work = 1000*(computed() - before)/60
            print(f'{"jumping" if jumps else "scrolling"}: {work:.1f} ms computed a frame; by the clock {got["median"]:.1f}, plain text {plain:.1f}; {got["rows"]} rows in the page')
            if got['median'] < 50: break
        assert 0 < work < 50 and (plain > 17.5 or got['median'] < 50)
        assert 0 < got['rows'] < 60 and not got['empty'] and got['at'] > 10_000
    p.locator('#part-Questions .list').press('End')
    p.wait_for_timeout(200)
    assert p.locator('#part-Questions [aria-selected=true] .top').text_content().startswith('Question 9999:')
    print('ready after', p.evaluate('document.documentElement.dataset.ready'), 'ms')

def test_filters(opened, many):
    file, rows = many
    p = opened(file, part='#questions')
    def choose(name, value): p.select_option(f'#part-Questions select[data-filter={name}]', value)
    right = sum(q.get('score', {}).get('step') == 'right' for q in rows)
    choose('answer', 'right')
    assert counted(p, 'Questions') == f'{right:,} of 10,000 questions'
    task = next(q['task'] for q in rows if 'task' in q)
    choose('task', task)
    both = sum(q['score']['step'] == 'right' and q['task'] == task for q in rows if 'score' in q)
    assert counted(p, 'Questions') == f'{both:,} of 10,000 questions' and 0 < both < right
    p.locator('#part-Questions').get_by_role('button', name='Clear').click()
    choose('verdict', 'qa: subjective')
    assert counted(p, 'Questions') == f'{len(range(0, 10_000, 7)):,} of 10,000 questions'
    choose('verdict', '')
    choose('source', 'not recorded')
    assert counted(p, 'Questions') == f'{len(range(0, 10_000, 7)):,} of 10,000 questions'
    choose('source', '')
    p.fill('#part-Questions input[type=search]', 'question 4321:')
    assert counted(p, 'Questions') == '1 of 10,000 questions' and 'Question 4321:' in p.locator('#part-Questions .detail h2').text_content()
    p.fill('#part-Questions input[type=search]', 'nothing is like this')
    assert 'No question is like that' in p.locator('#part-Questions .detail').text_content()

def test_words_stay_words(opened, many):
    p = opened(many[0], part=f'#questions/{1:016x}')
    assert p.locator('#part-Questions .detail h2').text_content() == WILD

def test_keyboard(opened, small):
    p = opened(small)
    assert tab(p) == 'Overview'
    p.keyboard.press('3')
    assert tab(p) == 'Questions'
    first = p.locator('#part-Questions .detail h2').text_content()
    p.keyboard.press('j')
    assert p.locator('#part-Questions .detail h2').text_content() != first
    p.keyboard.press('ArrowUp')
    assert p.locator('#part-Questions .detail h2').text_content() == first
    p.keyboard.press('/')
    p.keyboard.type('car')
    assert p.evaluate('document.activeElement.type') == 'search' and not counted(p, 'Questions').startswith('0 ')
    p.keyboard.press('Escape')
    p.keyboard.press('Escape')
    assert p.evaluate('document.activeElement.className') == 'list'
    p.keyboard.press('?')
    assert p.locator('#help').is_visible()
    p.keyboard.press('Escape')
    p.keyboard.press('2')
    before = p.locator('#part-Videos [aria-selected=true] .name small').text_content()
    p.keyboard.press('ArrowRight')
    assert p.locator('#part-Videos [aria-selected=true] .name small').text_content() != before
    p.keyboard.press('Enter')
    assert tab(p) == 'Questions' and int(counted(p, 'Questions').split()[0]) < p.evaluate('questions.length')
    p.locator('#tabs [aria-selected=true]').focus()
    p.keyboard.press('ArrowRight')
    assert tab(p) == 'Dropped'

def test_every_question_shows_the_frames_times_and_boxes_it_rests_on(opened, small):
    p = opened(small, part='#questions')
    questions = p.evaluate('questions.map(q => ({ id: q.id, kept: !!q.core, times: (q.core || []).map(k => frames[k].time), boxes: (q.items || []).filter(i => i.box).length }))') # a refused one rests on nothing
    assert sum(q['kept'] for q in questions) > 10 and sum(q['boxes'] for q in questions) > 10
    seen = []
    for k, q in enumerate(questions):
        if k: p.keyboard.press('j')
        p.wait_for_function('[...document.querySelectorAll("#part-Questions .detail img")].every(i => i.complete && i.naturalWidth > 0)')
        seen.append(p.evaluate('''() => { const d = document.querySelector('#part-Questions .detail'), own = d.querySelector('.frames'); return !own ? { pictures: 0, times: [], boxes: 0, core: 0 } : {
          id: location.hash.split('/')[1], pictures: own.querySelectorAll('img').length, times: [...own.querySelectorAll('figcaption b:first-child')].map(e => parseFloat(e.textContent)),
          boxes: own.querySelectorAll('.box').length, core: (d.querySelector('.time .core').getAttribute('d').match(/M/g) || []).length } }'''))
    for q, s in zip(questions, seen):
        if s.get('id'): assert s['id'] == q['id']
        assert s['pictures'] == s['core'] == len(q['times']) and s['boxes'] == q['boxes'] and (len(q['times']) >= 2 if q['kept'] else not q['times'])
        assert all(abs(a - b) < .06 for a, b in zip(s['times'], q['times']))

@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width,height', [(1400, 900), (390, 844)])
def test_screenshots(opened, small, width, height, scheme):
    p = opened(small, width, height, scheme)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for key in '123456':
        p.keyboard.press(key)
        p.wait_for_timeout(200)
        p.screenshot(path=SHOTS/f'{tab(p)}-{width}-{scheme}.png')
        assert p.evaluate('Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll(".part:not([hidden]), .part:not([hidden]) .list")].map(e => e.scrollWidth))') <= width, f'{tab(p)} is wider than the screen'
    p.keyboard.press('3')
    p.locator('#part-Questions .row').first.click()
    p.wait_for_timeout(200)
    assert p.locator('#part-Questions .detail h2').is_visible()
    p.screenshot(path=SHOTS/f'Question-{width}-{scheme}.png')
    bright = sum(int(x) for x in p.evaluate('getComputedStyle(document.body).backgroundColor').split('(')[1].rstrip(')').split(',')[:3])
    assert bright > 600 if scheme == 'light' else bright < 150
    if width < 800:
        p.keyboard.press('Escape')
        assert p.locator('#part-Questions .row').first.is_visible()

def test_the_gallery_of_a_notebooks_cell(opened, tmp_path):
    from espresso.paper.gallery import gallery
    cell = tmp_path/'cell.html'
    cell.write_text(f'<!doctype html><html data-ready=1><meta charset=utf-8><link rel=icon href="data:,"><body><button autofocus>the notebook</button>{gallery(root/"nbs"/"fixtures")._repr_html_()}</body></html>')
    p = opened(cell, 900)
    f = p.frame_locator('iframe')
    f.locator('#part-Videos .clip img').first.wait_for()
    assert f.locator('#tabs button').evaluate_all('es => es.map(e => e.firstChild.textContent)') == ['Videos', 'Questions']
    assert p.evaluate('document.activeElement.textContent') == 'the notebook' # Its keys stay with it
    f.locator('#part-Videos .clip .foot button:not([aria-label])').first.click()
    assert f.locator('#part-Questions .detail h2').is_visible()
    SHOTS.mkdir(parents=True, exist_ok=True)
    p.screenshot(path=SHOTS/'gallery.png')
