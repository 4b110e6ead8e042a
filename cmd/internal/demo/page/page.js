// The strip between the phones: what the gateway counts, once a second, and its pace over two minutes.
const units = { typical_ms: 'ms', memory_mb: 'MB' };
const kept = 120;
const paces = [];
let before = null;

function draw(now) {
  for (const [name, value] of Object.entries(now)) {
    const unit = units[name];
    document.getElementById(name).textContent = unit ? `${Math.round(value)} ${unit}` : String(value);
  }
  const total = now.from_users + now.to_users;
  if (before !== null) paces.push(Math.max(0, total - before)); // it counts from nothing again after a restart
  before = total;
  if (paces.length > kept) paces.shift();
  const top = Math.max(1, ...paces);
  const points = paces.map((p, i) => `${i + kept - paces.length},${(38 - (36 * p) / top).toFixed(1)}`);
  document.querySelector('#pace polyline').setAttribute('points', points.join(' '));
}

async function tick() {
  if (!document.hidden) {
    try {
      const answer = await fetch('/figures');
      document.getElementById('offline').hidden = answer.ok;
      if (answer.ok) draw(await answer.json());
    } catch {
      document.getElementById('offline').hidden = false;
    }
  }
  setTimeout(tick, 1000);
}
tick();
