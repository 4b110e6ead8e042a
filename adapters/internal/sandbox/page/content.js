// What a message says, drawn. Everything is put in as text or as an element made here, never as markup.
'use strict';

const spanTags = { bold: 'strong', italic: 'em', strike: 's', code: 'code', pre: 'code', quote: 'q', spoiler: 'span', link: 'a', mention: 'b' };
const webURL = (s) => (/^https?:\/\//i.test(String(s)) ? String(s) : '');

// styled draws a text with its spans. Offsets count code points; the widest span that begins at a place is outermost.
function styled(text, spans) {
  const points = [...String(text)];
  const ordered = (spans || []).filter((s) => s.length > 0).sort((a, b) => a.start - b.start || b.length - a.length);
  const draw = (into, from, to, list) => {
    let at = from;
    while (list.length) {
      const s = list.shift();
      const end = Math.min(s.start + s.length, to);
      if (s.start < at || s.start >= to) continue;
      into.append(points.slice(at, s.start).join(''));
      const node = el(spanTags[s.style] || 'span', s.style === 'pre' || s.style === 'spoiler' ? s.style : '');
      if (s.style === 'link' && webURL(s.url)) {
        node.href = webURL(s.url);
        node.rel = 'noreferrer noopener';
        node.target = '_blank';
      }
      if (s.style === 'spoiler') {
        node.tabIndex = 0;
        node.title = 'Spoiler';
        node.onclick = () => node.classList.toggle('open');
      }
      const inner = [];
      while (list.length && list[0].start < end) inner.push(list.shift());
      draw(node, s.start, end, inner);
      into.append(node);
      at = end;
    }
    into.append(points.slice(at, to).join(''));
  };
  const out = el('div', 'text');
  draw(out, 0, points.length, ordered.slice());
  return out;
}

const bytesText = (n) => (n < 1024 ? n + ' B' : n < 1 << 20 ? (n / 1024).toFixed(0) + ' KB' : (n / (1 << 20)).toFixed(1) + ' MB');

// mediaNode shows one file. Pictures are fetched when they come into view.
function mediaNode(part) {
  const src = base + '/media/' + encodeURIComponent(part.media_id || '');
  const box = el('figure', 'media ' + (part.kind === 'sticker' ? 'sticker' : ''));
  let node;
  if (part.kind === 'image' || part.kind === 'sticker') {
    node = el('img');
    node.alt = part.emoji || part.name || 'Picture';
    node.loading = 'lazy';
    if (part.width && part.height) { node.width = part.width; node.height = part.height; }
  } else if (part.kind === 'video') {
    node = el('video');
    node.controls = true;
    node.preload = 'none';
  } else if (part.kind === 'voice' || part.kind === 'audio') {
    node = el('audio');
    node.controls = true;
    node.preload = 'none';
  } else {
    node = el('a', 'file', (part.name || 'File') + ' · ' + bytesText(part.size || 0));
    node.href = src;
    node.download = part.name || '';
  }
  if (node.tagName !== 'A') node.src = src;
  box.append(node);
  const notes = [];
  if (part.view_once) notes.push('to be seen once');
  if (part.kind === 'voice') notes.push('voice note' + (part.duration_ms ? ', ' + Math.round(part.duration_ms / 1000) + ' s' : ''));
  if (notes.length) box.append(el('figcaption', '', notes.join(' · ')));
  return box;
}

// optionsNode shows a poll or buttons. Those of a user can be answered by the person who is played.
function optionsNode(m, title, choices, more) {
  const box = el('div', 'options');
  if (more.header) box.append(el('strong', '', more.header));
  box.append(el('div', '', title));
  const answers = m.answers || {};
  const own = ownOf(answers);
  for (const c of choices || []) {
    const count = Object.values(answers).filter((ids) => ids.includes(c.id)).length;
    const row = el('button', 'option', c.title + (count ? ' · ' + count : ''));
    row.type = 'button';
    row.disabled = !m.from_user;
    row.setAttribute('aria-pressed', String(own.includes(c.id)));
    row.onclick = quietly(() => {
      let picked = own.includes(c.id) ? own.filter((id) => id !== c.id) : more.multiple ? [...own, c.id] : [c.id];
      picked = choices.filter((o) => picked.includes(o.id));
      return api('POST', `/people/${me}/messages`, { to: open, reply_to: m.id, content: { answer: { choices: picked } } });
    });
    box.append(row);
  }
  if (more.footer) box.append(el('small', '', more.footer));
  return box;
}

function placeNode(l) {
  const link = el('a', 'card', (l.name || 'Location') + '\n' + [l.address, l.latitude.toFixed(5) + ', ' + l.longitude.toFixed(5)].filter(Boolean).join('\n'));
  link.href = `https://www.openstreetmap.org/?mlat=${Number(l.latitude)}&mlon=${Number(l.longitude)}`;
  link.rel = 'noreferrer noopener';
  link.target = '_blank';
  if (l.live_until) link.append(el('span', 'live', 'live until ' + clock(l.live_until)));
  return link;
}

function previewNode(p) {
  const link = el('a', 'card', [p.title, p.description, p.url].filter(Boolean).join('\n'));
  if (webURL(p.url)) link.href = webURL(p.url);
  link.rel = 'noreferrer noopener';
  link.target = '_blank';
  return link;
}

// body draws a whole content.
function body(m) {
  if (m.retracted) return el('div', 'body gone', 'Message taken back');
  const c = m.content || {};
  const out = el('div', 'body');
  for (const part of c.media || []) out.append(mediaNode(part));
  if (c.location && Number.isFinite(c.location.latitude) && Number.isFinite(c.location.longitude)) out.append(placeNode(c.location));
  if (c.contact) out.append(el('div', 'card', [c.contact.name, ...(c.contact.phones || []), ...(c.contact.emails || [])].join('\n')));
  if (c.poll) out.append(optionsNode(m, c.poll.question, c.poll.options, { header: c.poll.multiple ? 'Poll, several answers' : 'Poll', multiple: c.poll.multiple }));
  if (c.interactive) out.append(optionsNode(m, c.interactive.body, c.interactive.choices, c.interactive));
  if (c.answer) out.append(el('div', 'answer', (c.answer.choices || []).map((x) => x.title).join(', ') || 'Answer taken back'));
  if (typeof c.text === 'string') out.append(styled(c.text, c.spans));
  for (const p of c.previews || []) out.append(previewNode(p));
  if (!out.childNodes.length) out.append(el('em', '', 'Unsupported: ' + (c.unsupported || 'message')));
  return out;
}

// summary is one line of a content.
function summary(m) {
  if (m.retracted) return 'Message taken back';
  const c = m.content || {};
  if (typeof c.text === 'string') return c.text;
  if (c.media && c.media.length) {
    const first = c.media[0];
    return first.kind === 'sticker' ? 'Sticker ' + (first.emoji || '') : { image: 'Picture', video: 'Video', voice: 'Voice note', audio: 'Sound' }[first.kind] || first.name || 'File';
  }
  if (c.location) return c.location.name || 'Location';
  if (c.contact) return 'Contact: ' + c.contact.name;
  if (c.poll) return 'Poll: ' + c.poll.question;
  if (c.interactive) return c.interactive.body;
  if (c.answer) return 'Answer: ' + (c.answer.choices || []).map((x) => x.title).join(', ');
  return 'Unsupported message';
}
