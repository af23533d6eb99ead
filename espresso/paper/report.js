'use strict'
const data = JSON.parse(document.getElementById('data').textContent)
let pictures = null // Parsed when the first frame is shown: it is most of the file
const picture = k => { pictures ??= JSON.parse(document.getElementById('pictures').textContent); return pictures[k] ? 'data:image/jpeg;base64,' + pictures[k] : '' }
const COLOURS = ['#0072B2', '#C1440E', '#007A5A', '#8A5A00', '#A0447C', '#3B5BA5', '#5B5B5B', '#6A3D9A']
const $ = (s, within = document) => within.querySelector(s)

// ---- making elements; text only ever becomes text
function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.'), e = document.createElement(name || 'div')
  if (classes.length) e.className = classes.join(' ')
  for (const [k, v] of Object.entries(props)) {
    if (v === false || v == null) continue
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v)
    else if (k === 'style') for (const [n, x] of Object.entries(v)) e.style.setProperty(n, x)
    else e.setAttribute(k, v === true ? '' : v)
  }
  e.append(...children.flat(9).filter(c => c != null && c !== false && c !== ''))
  return e
}
function s(tag, props) { const e = document.createElementNS('http://www.w3.org/2000/svg', tag); for (const k in props) e.setAttribute(k, props[k]); return e }
const many = (n, one, more = one + 's') => `${count(n)} ${n === 1 ? one : more}`
const count = n => Number(n).toLocaleString('en')
const seconds = t => t < 100 ? `${t.toFixed(t < 10 ? 2 : 1)} s` : `${Math.floor(t / 60)} min ${Math.round(t % 60)} s`
const percent = x => `${(100 * x).toFixed(1)} %`
const big = n => { const [x, u] = n >= 1e12 ? [n / 1e12, 'T'] : n >= 1e9 ? [n / 1e9, 'G'] : [n / 1e6, 'M']; return `${x.toPrecision(3)} ${u}` }
const tally = values => { const n = new Map(); for (const v of values) n.set(v, (n.get(v) || 0) + 1); return [...n].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)) }
const middle = values => { const v = [...values].sort((a, b) => a - b); return v.length ? v[v.length >> 1] : 0 }

// ---- what is derived once
const videos = data.videos, frames = data.frames, questions = data.questions
for (const v of videos) Object.assign(v, { kept: [], core: new Set(), boxes: new Map(), asked: 0, right: 0, wrong: 0 })
frames.forEach((f, k) => { if (f.kept && videos[f.video]) videos[f.video].kept.push(k) })
const ANSWER = { right: ['✓ right', 'good'], 'too far': ['✗ wrong: too far', 'bad'], 'distractor closer': ['✗ wrong: a distractor is closer', 'bad'], said: ['answered, not judged', ''], none: ['not asked', ''] }
for (const q of questions) {
  q.outcome = q.score ? q.score.step : q.said ? 'said' : 'none'
  q.checked = q.verdict === 'ok' ? q.fate === 'kept' ? 'kept' : q.fate : `qa: ${q.verdict}`
  const v = videos[q.video]
  q.source = v ? v.source : 'not recorded'; q.name = v ? v.name : 'video not recorded'
  q.colours = new Map([...new Set((q.items || []).map(i => i.name))].map((n, k) => [n, COLOURS[k % COLOURS.length]]))
  q.find = `${q.question}\n${q.answer}\n${q.evidence || ''}\n${q.name}\n${q.id}`.toLowerCase()
  if (!v) continue
  v.asked++
  if (q.score) q.score.right ? v.right++ : v.wrong++
  for (const k of q.core || []) v.core.add(k)
  for (const i of q.items || []) if (i.box) { const b = v.boxes.get(i.frame) || new Map(); if (!(b.get(i.name)?.[3] >= i.found)) b.set(i.name, [i.name, i.box, true, i.found]); v.boxes.set(i.frame, b) } // The surest of each name
}
for (const v of videos) v.kept.sort((a, b) => frames[a].time - frames[b].time)

// ---- a frame, its boxes, and where it lies in time
function shot(k, boxes = [], colours = new Map(), open = true) {
  const f = frames[k], v = videos[f.video] || { width: 16, height: 9 }, src = picture(k)
  const taken = [], wide = 250, tall = wide * v.height / v.width
  const drawn = boxes.map(([name, [x0, y0, x1, y1], sure], n) => {
    const right = x0 > .55, w = Math.min(176, 6.4 * name.length + 9), x = right ? x1 * wide - w : x0 * wide
    const places = [['', y0 * tall - 16], ['under', y1 * tall + 1], ['inside', y0 * tall]].filter(([, y]) => y >= 0 && y + 16 <= tall)
    const [side, y] = places.find(([, y]) => taken.every(([a, b, c]) => x >= b || x + w <= a || Math.abs(y - c) >= 16)) || places[0] || ['inside', y0 * tall]
    taken.push([x, x + w, y])
    return h(['.box', !sure && 'unsure', side, right && 'right'].filter(Boolean).join('.'), { style: { '--c': colours.get(name) || COLOURS[n % COLOURS.length], left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` } }, h('span', {}, name))
  })
  const inside = [src ? h('img', { src, alt: f.caption || `frame at ${seconds(f.time)}`, decoding: 'async' }) : h('span.none', {}, 'no picture in this page'), ...drawn]
  const style = { 'aspect-ratio': `${v.width} / ${v.height}` }
  return open ? h('button.shot', { type: 'button', style, title: 'Larger', 'aria-label': `Frame at ${seconds(f.time)}, larger`, onclick: () => enlarge(k, boxes, colours) }, inside) : h('.shot', { style }, inside)
}
function enlarge(k, boxes, colours) {
  const f = frames[k], v = videos[f.video], d = $('#large'), close = () => d.close()
  const big = shot(k, boxes, colours, false)
  big.style.setProperty('max-width', `${78 * (v ? v.width / v.height : 1.8)}vh`); big.style.setProperty('margin', '0 auto'); big.addEventListener('click', close)
  d.replaceChildren(big, h('p', {}, h('b', {}, seconds(f.time)), ` · frame ${f.index} of ${v ? v.name : 'a video that is not recorded'}`), h('p', {}, f.caption), h('button', { type: 'button', onclick: close }, 'Close'))
  d.showModal()
}
function timeline(v, { core = [], saw = [], at = null, onpick = null } = {}) {
  const span = Math.max(v.seconds, .001), x = t => (1000 * Math.min(1, t / span)).toFixed(1), ticks = (times, a, b) => times.map(t => `M${x(t)} ${a}V${b}`).join('')
  const times = ks => ks.filter(k => frames[k].video === videos.indexOf(v)).map(k => frames[k].time)
  const svg = s('svg', { viewBox: '0 0 1000 30', preserveAspectRatio: 'none', 'aria-hidden': 'true' })
  for (const [cls, d] of [['base', 'M0 29H1000'], ['', ticks(v.looked, 23, 29)], ['kept', ticks(times(v.kept), 15, 29)], ['core', ticks(times(core), 4, 29)], ['saw', ticks(times(saw), 0, 9)], ['at', at == null ? '' : `M${x(at)} 0V30`]]) if (d) svg.append(s('path', { class: cls, d }))
  const words = `${many(v.looked.length, 'frame')} looked at, ${v.kept.length} kept, core frames at ${times(core).map(t => t.toFixed(1)).join(', ') || 'none'} of ${seconds(v.seconds)}`
  const e = h('.time', { role: 'img', 'aria-label': words, title: words }); e.append(svg)
  if (onpick) e.addEventListener('click', ev => { const b = e.getBoundingClientRect(); onpick(span * (ev.clientX - b.left) / b.width) })
  return e
}
const legend = saw => h('.legend', {}, h('span', {}, h('i'), 'looked at'), h('span', {}, h('i.k'), 'kept'), h('span', {}, h('i.c'), 'core frame'), saw && h('span', {}, h('i.s'), 'seen by the model'))

// ---- a list of any length: only the rows in sight exist
class List {
  constructor({ height, draw, pick, open, columns = () => 1, step = null, name }) {
    Object.assign(this, { height, draw, open, pick, columns, step, items: [], at: -1, shown: new Map(), wait: 0, name })
    this.space = h('.space'); this.host = h('.list', { tabindex: 0, role: 'listbox', 'aria-label': name }, this.space)
    this.host.addEventListener('scroll', () => this.later(), { passive: true })
    this.host.addEventListener('keydown', e => this.key(e))
    new ResizeObserver(() => this.later()).observe(this.host)
  }
  set(items) { this.items = items; this.clear(); this.host.scrollTop = 0; this.at = items.length ? 0 : -1; this.later() }
  clear() { for (const e of this.shown.values()) e.remove(); this.shown.clear() }
  later() { this.wait ||= requestAnimationFrame(() => { this.wait = 0; this.paint() }) }
  paint() {
    const wide = this.host.clientWidth, tall = this.host.clientHeight
    if (!wide) return
    const n = this.columns(wide), hgt = this.height, first = Math.max(0, Math.floor(this.host.scrollTop / hgt) - 2) * n, last = Math.min(this.items.length, (Math.ceil((this.host.scrollTop + tall) / hgt) + 2) * n)
    if (n !== this.n) { this.n = n; this.clear() }
    this.space.style.height = `${Math.ceil(this.items.length / n) * hgt}px`
    for (const [k, e] of this.shown) if (k < first || k >= last) { e.remove(); this.shown.delete(k) }
    for (let k = first; k < last; k++) {
      if (this.shown.has(k)) continue
      const e = this.draw(this.items[k], k)
      e.id = `${this.name}-${k}`; e.setAttribute('role', 'option'); e.setAttribute('aria-setsize', this.items.length); e.setAttribute('aria-posinset', k + 1)
      e.style.top = `${Math.floor(k / n) * hgt}px`; e.style.height = `${hgt}px`
      if (n > 1) { e.style.left = `${100 * (k % n) / n}%`; e.style.width = `${100 / n}%` } else if (this.step) e.style.width = '100%'
      e.addEventListener('click', () => { this.go(k); this.open?.(this.items[k], k) })
      this.shown.set(k, e); this.space.append(e)
    }
    for (const [k, e] of this.shown) e.setAttribute('aria-selected', k === this.at)
    this.at >= 0 ? this.host.setAttribute('aria-activedescendant', `${this.name}-${this.at}`) : this.host.removeAttribute('aria-activedescendant')
  }
  redraw(k) { const e = this.shown.get(k); if (e) { e.remove(); this.shown.delete(k); this.paint() } }
  go(k) {
    if (!this.items.length) return
    this.at = Math.max(0, Math.min(this.items.length - 1, k))
    const y = Math.floor(this.at / (this.n || 1)) * this.height, host = this.host
    if (y < host.scrollTop) host.scrollTop = y
    else if (y + this.height > host.scrollTop + host.clientHeight) host.scrollTop = y + this.height - host.clientHeight
    this.pick?.(this.items[this.at], this.at); this.later()
  }
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('button')) return
    const page = Math.max(1, Math.floor(this.host.clientHeight / this.height)) * (this.n || 1)
    const to = { ArrowDown: this.at + 1, j: this.at + 1, ArrowUp: this.at - 1, k: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: this.items.length - 1 }[e.key]
    if (to !== undefined) this.go(to)
    else if (e.key === 'Enter') this.open?.(this.items[this.at], this.at)
    else if (this.step && (e.key === 'ArrowLeft' || e.key === 'ArrowRight')) this.step(this.items[this.at], this.at, e.key === 'ArrowRight' ? 1 : -1)
    else return
    e.preventDefault(); e.stopPropagation()
  }
}

// ---- filters above a list, and what is chosen beside it
class Browser {
  constructor(part, { items, find, filters, list, detail, noun, empty }) {
    Object.assign(this, { items, find, filters, detail, noun, empty, values: {}, extra: null })
    this.list = new List({ ...list, pick: item => { this.show(item); list.pick?.(item) }, open: (item, k) => { list.open ? list.open(item, k) : this.enter() } })
    this.search = h('input', { type: 'search', placeholder: 'Search', 'aria-label': `Search ${noun}s` })
    this.search.addEventListener('input', () => this.apply())
    this.search.addEventListener('keydown', e => { if (e.key === 'ArrowDown' || e.key === 'Enter') { this.list.host.focus(); e.preventDefault() } })
    this.selects = filters.map(f => {
      const own = tally(items.map(f.of)), e = h('select', { 'aria-label': f.name, 'data-filter': f.name }, h('option', { value: '' }, `${f.name}: all`), own.map(([v, n]) => h('option', { value: v }, `${f.word ? f.word(v) : v} (${count(n)})`)))
      e.addEventListener('change', () => this.apply()); return e
    })
    this.count = h('span.count', { role: 'status' }); this.reset = h('button', { type: 'button', onclick: () => this.clear() }, 'Clear')
    this.chip = h('button', { type: 'button', hidden: true, title: 'Show all videos', onclick: () => { this.extra = null; this.apply() } })
    const chosen = h('.chosen', {}, this.selects), more = h('button.more', { type: 'button', 'aria-expanded': 'false', onclick: () => more.setAttribute('aria-expanded', chosen.classList.toggle('open')) }, 'Filters')
    this.more = more; this.split = h('.split', {}, this.list.host, detail && h('.detail', { tabindex: -1 }))
    this.pane = $('.detail', this.split)
    if (!detail) this.split.style.gridTemplateColumns = 'minmax(0, 1fr)'
    part.append(h('.browser', {}, h('.filters', {}, this.search, more, chosen, this.chip, this.reset, this.count), this.split))
    this.apply()
  }
  clear() { this.search.value = ''; for (const e of this.selects) e.value = ''; this.extra = null; this.apply() }
  apply() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean), set = this.selects.map((e, k) => [this.filters[k].of, e.value]).filter(([, v]) => v)
    for (const e of this.selects) e.classList.toggle('set', !!e.value)
    const found = this.items.filter(i => (!this.extra || this.extra.of(i)) && set.every(([of, v]) => of(i) === v) && words.every(w => i[this.find].includes(w)))
    this.count.textContent = `${count(found.length)} of ${many(this.items.length, this.noun)}`
    this.chip.hidden = !this.extra; this.chip.textContent = this.extra ? `${this.extra.name} ✕` : ''
    this.more.textContent = set.length ? `Filters (${set.length})` : 'Filters'
    this.reset.hidden = !set.length && !words.length && !this.extra
    this.list.set(found); this.show(found[0])
  }
  show(item) {
    if (!this.pane) return
    this.pane.replaceChildren(...(item ? [h('.leaf', {}, h('button', { type: 'button', onclick: () => this.leave() }, '← Back'), h('button', { type: 'button', 'aria-label': `${this.noun} before`, onclick: () => this.list.go(this.list.at - 1) }, '↑'), h('button', { type: 'button', 'aria-label': `Next ${this.noun}`, onclick: () => this.list.go(this.list.at + 1) }, '↓')), ...this.detail(item)] : [h('.empty', {}, this.items.length ? `No ${this.noun} is like that.` : this.empty)]))
    this.pane.scrollTop = 0
  }
  enter() { this.split.classList.add('open'); this.pane?.focus() }
  leave() { this.split.classList.remove('open'); this.list.host.focus(); this.list.later() }
  pickOut(k) { if (k >= 0) { this.list.paint(); this.list.go(k) } }
}

// ---- one question, with all that it rests on
function marked(text, q) { // The names of key items, in the colours of their boxes
  const names = [...q.colours.keys()].sort((a, b) => b.length - a.length).map(n => n.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  if (!names.length || !text) return [text]
  const low = new Map([...q.colours].map(([n, c]) => [n.toLowerCase(), c]))
  return text.split(new RegExp(`\\b(${names.join('|')})\\b`, 'gi')).map((t, k) => k % 2 ? h('mark', { style: { 'border-color': low.get(t.toLowerCase()) } }, t) : t)
}
function itemLine(i, colour) {
  return h('li', { style: { '--c': colour } }, h('i'), h('b', {}, i.name), i.box ? ` found ${i.found.toFixed(2)}, label ${i.label.toFixed(2)}, box ${i.box.map(x => x.toFixed(2)).join(' ')}` : i.label ? ` no box: what was found looks like something else (label ${i.label.toFixed(2)})` : ' not found, no box')
}
function framesOf(places, lines, boxes, colours) {
  return h('.frames', {}, places.map((k, n) => h('figure', {}, shot(k, boxes(k, n), colours), h('figcaption', {}, h('b', {}, seconds(frames[k].time)), h('small', {}, ` · frame ${frames[k].index}`), ...lines(k, n)))))
}
function answered(q) {
  const p = q.said, sc = q.score, names = new Map([...new Set(p.boxes.map(b => b[0]))].map((n, k) => [n, q.colours.get(n) || COLOURS[(k + 3) % COLOURS.length]]))
  const longest = sc ? Math.max(.05, sc.bar, sc.reference, ...sc.distractors) : 1
  const bar = (name, x, cls) => [h('span', {}, name), h('.bar', {}, h('i', { style: { width: `${100 * Math.max(0, x) / longest}%` } }), h('u', { style: { left: `${100 * sc.bar / longest}%` } })), h('span', { class: cls }, x.toFixed(4))]
  return [h('h3', {}, 'The model\'s answer'), h('p.said', {}, p.answer || h('span.soft', {}, '(nothing)'), ' '),
    h('.tags', {}, h('span.tag.' + (ANSWER[q.outcome][1] || 'soft'), {}, ANSWER[q.outcome][0]), sc?.exact && h('span.tag.good', {}, 'word for word'), p.cut && h('span.tag.amber', {}, `cut off at its limit: ${p.cut}`)),
    sc && h('.near', { style: { 'margin-top': '.6rem' } }, bar('to the reference', sc.reference), sc.distractors.map((d, n) => bar(`to distractor ${n + 1}`, d))),
    sc && h('p', {}, h('small', {}, `Similarity by ${sc.encoder}; the mark is the bar of ${sc.bar}. Right is what reaches the bar and lies no nearer to a distractor.`)),
    h('h3', {}, p.given ? 'Evidence handed to the model' : 'The model\'s evidence'), h('p.said', {}, p.evidence || h('span.soft', {}, 'none was asked for')),
    h('h3', {}, `Seen by the model: ${many(p.frames.length, 'frame')}`), framesOf(p.frames, () => [], (k, n) => p.boxes.filter(b => b[1] === n || b[1] == null).map(([name, at, box]) => [name, box, at != null]), names),
    p.boxes.length ? h('p', {}, h('small', {}, 'Boxes are the model\'s own; dashed where it does not say which frame they belong to.')) : '',
    h('p', {}, h('small', {}, `${p.model} · ${count(p.tokens[0])} tokens read, ${p.tokens[1]} of evidence and ${p.tokens[2]} of answer written · ${p.seconds.toFixed(2)} s · ${p.flops ? big(p.flops) + 'FLOPs' : 'FLOPs not counted'}`))]
}
function detailOf(q) {
  const v = videos[q.video], core = q.core || [], cited = q.cited.filter(k => !core.includes(k))
  const of = k => (q.items || []).filter(i => i.frame === k)
  return [h('.tags', {}, q.task && h('span.tag', {}, q.task), q.split && h('span.tag', {}, q.split), h('span.tag.' + (q.checked === 'kept' ? 'good' : 'amber'), {}, q.checked === 'kept' ? '✓ kept' : q.checked), h('span.tag.' + (ANSWER[q.outcome][1] || 'soft'), {}, ANSWER[q.outcome][0]), h('span.tag', {}, q.source)),
    h('h2', {}, q.question), h('h3', {}, 'Answer'), h('p.said', {}, marked(q.answer, q)),
    q.evidence && [h('h3', {}, 'Evidence'), h('p.said', {}, marked(q.evidence, q))],
    v ? [h('h3', {}, v.name, ' ', h('small', {}, `${seconds(v.seconds)}, ${v.width} × ${v.height}`)), timeline(v, { core: core.length ? core : q.cited, saw: q.said ? q.said.frames : [] }), legend(q.said)] : h('p.soft', {}, 'The record of a refused question holds its words and the reason, not its frames.'),
    core.length ? [h('h3', {}, `Rests on ${many(core.length, 'core frame')}`), framesOf(core, k => [h('div', {}, frames[k].caption), h('ul.items', {}, of(k).map(i => itemLine(i, q.colours.get(i.name))))], k => of(k).filter(i => i.box).map(i => [i.name, i.box, true]), q.colours)] : '',
    cited.length ? [h('h3', {}, core.length ? 'Also cited by its writer' : 'Cited by its writer'), framesOf(cited, k => [h('div', {}, frames[k].caption)], () => [], q.colours)] : '',
    q.options?.length ? [h('h3', {}, 'Options'), h('ul.options', {}, q.options.map((o, k) => h('li' + (k === q.correct ? '.is' : ''), {}, h('b', {}, 'ABCDEFGHIJ'[k]), o, k === q.correct && h('span.good', {}, '  ✓ reference'))))] : '',
    h('h3', {}, 'Verdict of the checker'), h('p', {}, h('b', {}, q.verdict), q.why && `: ${q.why}`), q.fate !== 'kept' && h('p', {}, `It ended at ${q.fate}.`),
    q.said ? answered(q) : '',
    h('p', {}, h('small', {}, [`question ${q.id}`, q.writer && `written by ${q.writer}`, q.checker && `checked by ${q.checker}`, q.grounded && `evidence by ${q.grounded}`, q.optioned && `task and options by ${q.optioned}`].filter(Boolean).join(' · ')))].flat(3).filter(Boolean)
}

// ---- parts of the report
const tabs = {}, PARTS = []
const part = (name, size, make) => PARTS.push({ name, size, make })

part('Overview', '', root => {
  root.classList.add('page')
  const kept = questions.filter(q => q.checked === 'kept'), judged = questions.filter(q => q.score), said = questions.filter(q => q.said), length = videos.reduce((n, v) => n + v.seconds, 0)
  const total = k => data.stages.reduce((n, x) => n + x[k], 0), looked = videos.reduce((n, v) => n + v.looked.length, 0)
  const fact = (n, words) => h('div', {}, h('b', {}, n), h('span', {}, words))
  root.append(h('.facts', {}, fact(count(videos.length), `videos, ${length < 6000 ? `${(length / 60).toFixed(1)} minutes` : `${(length / 3600).toFixed(1)} hours`}`), fact(count(frames.filter(f => f.kept).length), `frames kept of ${count(looked)} looked at`), fact(count(kept.length), `questions kept of ${count(questions.length)} on record`),
    fact(judged.length ? percent(judged.filter(q => q.score.right).length / judged.length) : '–', judged.length ? `right of ${many(judged.length, 'answer')} judged` : 'no answer was judged'), fact(count(total('requests')), `calls of models, ${count(total('cached'))} more from the store`), fact(total('money').toFixed(2), 'spent on them')))
  root.append(h('h2', {}, 'In, out, and what fell out'), data.stages.length ? h('.card.flow', {}, data.stages.map(flow)) : h('p.soft', {}, 'No stage has left a record.'))
  root.append(h('p', {}, h('small', {}, 'A bar is all that a stage made or was given: videos first, then frames, then questions. A reason leads to its rows.')))
  root.append(h('.legend', {}, [['out', 'came out', 'accent'], ['dropped', 'dropped by a rule', 'amber'], ['quarantined', 'quarantined by a fault', 'bad']].map(([c, w, v]) => h('span', {}, h('i', { style: { width: '.8em', background: `var(--${v})` } }), w))))
  if (data.shares.length) root.append(h('h2', {}, 'Answers'), h('.card.wide', {}, table(['', 'questions', 'right', '95 %', 'word for word'], data.shares.map(l => [l.control ? `knows nothing: ${l.name}` : l.name, count(l.n), percent(l.right), l.low == null ? '' : `${percent(l.low)} – ${percent(l.high)}`, percent(l.exact)]))))
  if (data.stages.length) root.append(h('h2', {}, 'Costs'), h('.card.wide', {}, table(['', 'calls', 'from the store', 'asked again', 'tokens read', 'tokens written', 'money', 'seconds', 'with notebook'], data.stages.map(x => [x.name, ...['requests', 'cached', 'repaired', 'read', 'written'].map(k => count(x[k])), x.money.toFixed(2), x.seconds.toFixed(1), x.whole == null ? '' : x.whole.toFixed(1)]),
    ['all', ...['requests', 'cached', 'repaired', 'read', 'written'].map(k => count(total(k))), total('money').toFixed(2), total('seconds').toFixed(1), total('whole').toFixed(1)])))
  if (said.length) root.append(h('.card', {}, h('h3', { style: { 'margin-top': 0 } }, 'One answer of the model, in the middle of all'), h('p', {}, `${middle(said.map(q => q.said.frames.length))} frames seen · ${count(middle(said.map(q => q.said.tokens[0])))} tokens read · ${middle(said.map(q => q.said.tokens[1]))} tokens of evidence and ${middle(said.map(q => q.said.tokens[2]))} of answer written · ${middle(said.map(q => q.said.seconds)).toFixed(2)} s · ${big(middle(said.map(q => q.said.flops)))}FLOPs`)))
  const p = data.pictured, missing = p.wanted - p.shown
  root.append(h('h2', {}, 'Of this page'), h('.card', {}, h('p', {}, `It carries ${many(p.shown, 'picture')} of ${many(p.wanted, 'frame')}, none longer than ${p.side} pixels.`, missing > 0 && ` ${many(missing, 'frame')} ${missing === 1 ? 'is' : 'are'} there with time, caption and boxes, but without a picture${p.wanted > p.most ? `: the cap is ${count(p.most)}, and core frames of answered questions come first` : ''}.`),
    p.faults.length ? h('ul', {}, p.faults.map(f => h('li', {}, f))) : '', data.cut.map(([stage, reason, n, shown]) => h('p', {}, `Of ${count(n)} rows that stage ${stage} dropped as "${reason}", the first ${count(shown)} are listed.`)),
    data.stages.map(x => h('details', {}, h('summary', {}, `${x.name}: finished ${x.finished}`), h('dl', {}, [['commit', x.commit ? x.commit.slice(0, 12) + (x.changed ? ', with changes' : '') : 'not from a checkout'], ['python', x.python], ...Object.entries(x.given), ...Object.entries(x.versions).filter(([, v]) => v)].map(([k, v]) => [h('dt', {}, k), h('dd', {}, String(v) || '–')]))))))
})
function flow(x) {
  const out = (kind, list) => Object.entries(list).map(([reason, n]) => ({ kind, reason, n })), lost = [...out('dropped', x.dropped), ...out('quarantined', x.quarantined)], all = Math.max(1, x.rows + lost.reduce((n, l) => n + l.n, 0))
  const go = l => { tabs.Dropped?.clear(); if (tabs.Dropped) { for (const e of tabs.Dropped.selects) e.value = { stage: x.name, reason: l.reason }[e.dataset.filter] || ''; tabs.Dropped.apply() } open('Dropped') }
  return [h('b', {}, x.name), h('div', {}, h('.bar', { role: 'img', 'aria-label': `${x.rows} out, ${lost.map(l => `${l.n} ${l.kind}: ${l.reason}`).join(', ') || 'nothing lost'}` }, x.rows ? h('i.out', { style: { width: `${100 * x.rows / all}%` } }) : '', lost.map(l => h('i.' + l.kind, { style: { width: `${100 * l.n / all}%` }, title: `${l.n} ${l.reason}` }))),
    h('.why', {}, h('span', {}, h('b', {}, count(x.units)), ' in', x.made !== x.units && [', ', h('b', {}, count(x.made)), ' made'], ', ', h('b', {}, count(x.rows)), ' out'), lost.map(l => h('button.' + l.kind, { type: 'button', onclick: () => go(l) }, `${count(l.n)} ${l.reason}`))))]
}
function table(head, rows, foot) {
  const numeric = head.map((_, k) => rows.length > 0 && rows.every(r => r[k] === '' || r[k] == null || /^[-–+]?[\d,.]+( ?%)?( – [\d,.]+ %)?( \[.*\])?$/.test(r[k]))), cls = (v, k) => numeric[k] ? 'n' : String(v ?? '').length > 40 ? 'long' : null
  return h('table', {}, h('thead', {}, h('tr', {}, head.map((c, k) => h('th', { class: numeric[k] && 'n', scope: 'col' }, c)))), h('tbody', {}, rows.map(r => h('tr', {}, r.map((c, k) => h('td', { class: cls(c, k) }, c))))), foot ? h('tfoot', {}, h('tr', {}, foot.map((c, k) => h('td', { class: cls(c, k) }, c)))) : '')
}

part('Videos', videos.length, root => {
  root.classList.add('videos')
  for (const v of videos) { v.find = `${v.name}\n${v.source}\n${v.id}`.toLowerCase(); v.step = Math.max(0, v.kept.findIndex(k => v.core.has(k))); v.state = v.wrong ? v.right ? 'right and wrong answers' : 'wrong answers only' : v.right ? 'right answers only' : v.asked ? 'questions, none judged' : 'no question' }
  const move = (v, at, by) => { v.step = Math.max(0, Math.min(v.kept.length - 1, v.step + by)); b.list.redraw(at) }
  const ask = v => { const q = tabs.Questions; q.clear(); q.extra = { name: v.name, of: x => videos[x.video] === v }; q.apply(); open('Questions') }
  function clip(v, at) {
    const k = v.kept[v.step], r = v.width / v.height, colours = new Map([...new Set([...v.boxes.values()].flatMap(m => [...m.values()].map(x => x[0])))].map((n, i) => [n, COLOURS[i % COLOURS.length]]))
    const seen = k == null ? h('span.soft', {}, 'no frame was kept') : shot(k, [...(v.boxes.get(k) || new Map()).values()], colours, false)
    if (k != null) { const host = b ? Math.max(1, b.list.host.clientWidth / b.list.columns(b.list.host.clientWidth) - 40) : 320; seen.style.setProperty('width', `${Math.min(host, 190 * r)}px`) }
    const pick = t => { const near = v.kept.map((j, n) => [Math.abs(frames[j].time - t), n]).sort((a, c) => a[0] - c[0])[0]; if (near) { v.step = near[1]; b.list.redraw(at) } }
    return h('.clip', {}, h('div', {}, h('.stage', {}, seen), h('.name', {}, h('b', { title: v.name }, v.name), h('small', {}, k == null ? '' : `${seconds(frames[k].time)}${v.core.has(k) ? ', core' : ''}`)),
      timeline(v, { core: [...v.core], at: k == null ? null : frames[k].time, onpick: pick }), h('.about', {}, `${v.source} · ${seconds(v.seconds)} · ${v.looked.length} looked at, ${v.kept.length} kept, ${v.core.size} core${v.cut ? ' · cut short' : ''}`), h('.words', { title: k == null ? '' : frames[k].caption }, k == null ? '' : frames[k].caption),
      h('.foot', {}, h('span', {}, h('button', { type: 'button', 'aria-label': 'Frame before', tabindex: -1, onclick: e => { e.stopPropagation(); move(v, at, -1) } }, '←'), ' ', h('button', { type: 'button', 'aria-label': 'Next frame', tabindex: -1, onclick: e => { e.stopPropagation(); move(v, at, 1) } }, '→')),
        h('span', {}, v.right || v.wrong ? h('small', {}, h('span.good', {}, `✓ ${v.right}`), ' ', h('span.bad', {}, `✗ ${v.wrong}`), ' ') : '', h('button', { type: 'button', tabindex: -1, disabled: !v.asked, onclick: e => { e.stopPropagation(); ask(v) } }, many(v.asked, 'question'))))))
  }
  let b = null
  b = tabs.Videos = new Browser(root, { items: videos, find: 'find', noun: 'video', empty: 'No video came through.', filters: [{ name: 'source', of: v => v.source }, { name: 'answers', of: v => v.state }],
    list: { name: 'videos', height: 412, columns: w => Math.max(1, Math.floor(w / 350)), draw: clip, step: move, open: (v, at) => { const e = b.list.shown.get(at); if (document.activeElement === b.list.host && entering && v.asked) ask(v) } } })
  let entering = false
  b.list.host.addEventListener('keydown', e => { entering = e.key === 'Enter' }, true); b.list.host.addEventListener('pointerdown', () => { entering = false }, true)
})

part('Questions', questions.length, root => {
  const row = q => h('.row', {}, h('.top', {}, q.question), h('.below', {}, q.outcome === 'none' ? '' : h('span', { class: ANSWER[q.outcome][1] }, ANSWER[q.outcome][0].split(':')[0]), q.checked === 'kept' ? '' : h('span.bad', {}, q.checked), h('span', {}, q.task || ''), h('span', {}, q.name)))
  tabs.Questions = new Browser(root, { items: questions, find: 'find', noun: 'question', empty: 'No question was written in this run yet.', detail: detailOf, list: { name: 'questions', height: 74, draw: row, pick: q => note('questions', q.id) },
    filters: [{ name: 'task', of: q => q.task || 'no task' }, { name: 'source', of: q => q.source }, { name: 'verdict', of: q => q.checked }, { name: 'answer', of: q => q.outcome, word: v => ANSWER[v][0] }, { name: 'split', of: q => q.split || 'none' }] })
})

part('Dropped', data.lost.length, root => {
  for (const d of data.lost) d.find = `${d.row}\n${d.detail}\n${d.reason}`.toLowerCase()
  const row = d => h('.row', {}, h('.top', {}, d.row, ': ', d.detail), h('.below', {}, h('span', {}, d.stage), h('span', { class: d.kind === 'quarantined' ? 'bad' : '' }, d.reason)))
  const detail = d => [h('.tags', {}, h('span.tag', {}, d.stage), h('span.tag.' + (d.kind === 'quarantined' ? 'bad' : 'amber'), {}, d.kind), h('span.tag', {}, d.reason)), h('h2', {}, d.row), h('p.said', {}, d.detail)]
  tabs.Dropped = new Browser(root, { items: data.lost, find: 'find', noun: 'row', empty: 'Nothing fell out.', detail, list: { name: 'dropped', height: 74, draw: row }, filters: [{ name: 'stage', of: d => d.stage }, { name: 'reason', of: d => d.reason }, { name: 'kind', of: d => d.kind }] })
})

if (data.tables) part('Tables', data.tables.length, root => {
  root.classList.add('page')
  const kinds = ['reported', 'computed', 'measured'], blocks = []
  root.append(h('.checks', {}, kinds.map(k => { const box = h('input', { type: 'checkbox', checked: true }); box.addEventListener('change', () => { for (const b of blocks) if (b.dataset.kind === k) b.hidden = !box.checked }); return h('label', {}, box, `${k} ${{ reported: 'by the paper', computed: 'from public configurations', measured: 'in this project' }[k]}`) })))
  for (const t of data.tables) root.append(h('section', {}, h('h2', {}, `Table ${t.number}: ${t.title}`), t.blocks.map(b => { const e = h('.block.' + b.kind, { 'data-kind': b.kind }, h('b', {}, b.kind), h('small', {}, ` · ${b.source}`), b.rows.length ? h('.wide', { tabindex: 0, role: 'region', 'aria-label': `Table ${t.number}, ${b.kind}` }, table(b.columns, b.rows)) : '', b.note && h('p', {}, h('small', {}, b.note))); blocks.push(e); return e })))
})
if (data.figures) part('Figures', data.figures.length, root => {
  root.classList.add('page', 'figures')
  if (!data.figures.length) root.append(h('p.empty', {}, 'This run has no dataset yet, so there is nothing to draw.'))
  for (const f of data.figures) root.append(h('figure', {}, h('figcaption', {}, f.title), h('.wide', { tabindex: 0, role: 'region', 'aria-label': f.title }, h('img', { src: `data:image/webp;base64,${f.picture}`, alt: f.title, width: f.width, height: f.height, loading: 'lazy', decoding: 'async' }))))
})

// ---- moving about
const nav = $('#tabs'), main = $('#main'), shown = data.gallery ? PARTS.filter(p => ['Videos', 'Questions'].includes(p.name)) : PARTS
const linked = location.protocol !== 'about:' // In a notebook's cell there is no address to write to
let current = ''
function note(name, id = '') { if (linked && current.toLowerCase() === name) history.replaceState(null, '', `#${name}${id ? '/' + id : ''}`) }
function open(name, focus = true) {
  current = name
  for (const p of shown) { p.root.hidden = p.name !== name; p.tab.setAttribute('aria-selected', p.name === name); p.tab.tabIndex = p.name === name ? 0 : -1; if (p.name === name) p.tab.scrollIntoView({ block: 'nearest', inline: 'nearest' }) }
  const b = tabs[name]
  if (b) { b.split.classList.remove('open'); b.list.paint(); if (focus) b.list.host.focus({ preventScroll: true }) }
  note(name.toLowerCase(), name === 'Questions' && b.list.items[b.list.at]?.id)
}
for (const p of shown) {
  p.root = h('section.part', { role: 'tabpanel', id: `part-${p.name}`, 'aria-label': p.name, hidden: true })
  p.tab = h('button', { type: 'button', role: 'tab', id: `tab-${p.name}`, 'aria-controls': `part-${p.name}`, onclick: () => open(p.name) }, p.name, p.size !== '' && h('span', {}, count(p.size)))
  nav.append(p.tab); main.append(p.root)
}
for (const p of shown) p.make(p.root)
nav.addEventListener('keydown', e => { const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key]; if (by) { const k = (shown.findIndex(p => p.name === current) + by + shown.length) % shown.length; open(shown[k].name); shown[k].tab.focus(); e.preventDefault() } })
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]')) return
  const typing = e.target.matches('input, select, textarea'), b = tabs[current]
  if (e.key === 'Escape') { if (b?.split.classList.contains('open')) b.leave(); else if (e.target === b?.search && b.search.value) { b.search.value = ''; b.apply() } else b?.list.host.focus(); return }
  if (typing) return
  if (e.key === '?') $('#help').showModal()
  else if (e.key === '/' && b) b.search.focus()
  else if (shown[Number(e.key) - 1]) open(shown[Number(e.key) - 1].name)
  else if (b && ['j', 'k', 'ArrowDown', 'ArrowUp'].includes(e.key) && !e.target.closest('.detail, .list')) { b.list.host.focus(); b.list.key(e) }
  else if (b && ['j', 'k'].includes(e.key)) b.list.key(e)
  else return
  e.preventDefault()
})
$('#keys').addEventListener('click', () => $('#help').showModal())
$('#theme').addEventListener('click', () => { const root = document.documentElement.style, dark = matchMedia('(prefers-color-scheme: dark)').matches, order = ['', dark ? 'light' : 'dark', dark ? 'dark' : 'light']; root.colorScheme = order[(order.indexOf(root.colorScheme) + 1) % 3] })
$('#gist').textContent = [many(videos.length, 'video'), many(questions.length, 'question'), questions.some(q => q.score) && `${questions.filter(q => q.score?.right).length} of ${questions.filter(q => q.score).length} answers right`].filter(Boolean).join(' · ')
function follow() {
  const [name, id] = linked ? decodeURIComponent(location.hash.slice(1)).split('/') : [''], p = shown.find(x => x.name.toLowerCase() === name) || shown[0], q = tabs.Questions
  const k = id && p.name === 'Questions' ? questions.findIndex(x => x.id === id) : -1
  open(p.name, !data.gallery) // A notebook keeps its own focus
  if (k >= 0) { q.clear(); q.pickOut(k); q.enter() }
}
addEventListener('hashchange', follow)
follow()
document.documentElement.dataset.ready = Math.round(performance.now())
