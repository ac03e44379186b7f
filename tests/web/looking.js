// What a page of the viewer tells of itself: given to it by looking.py.
(() => {
  const until = async (what, found, patience = 20000) => {
    const end = performance.now() + patience
    for (;;) {
      const value = await found()
      if (value) return value
      if (performance.now() > end) throw new Error(`${what} does not come`)
      await new Promise((done) => setTimeout(done, 10))
    }
  }
  const frames = async (count) => {
    for (let at = 0; at < count; at += 1) await new Promise((done) => requestAnimationFrame(done))
  }
  const pane = () => document.querySelector('section[data-active]')
  const ready = () => pane()?.querySelector('[data-ready]')
  const key = (name) => window.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }))

  const open = async (study) => {
    history.pushState({}, '', '/view/' + study)
    await until('the list of ' + study, () => {
      const entries = [...document.querySelectorAll('nav [data-stack]')]
      return entries.length > 0 && location.pathname.endsWith(study) && document.querySelector('[data-study="' + study + '"]')
    })
    // metadata of the last series are read when it is chosen
    for (const one of document.querySelectorAll('nav [data-stack=""]')) one.click()
    await until('the series of ' + study, () => document.querySelectorAll('nav [data-stack=""]').length === 0)
    return [...document.querySelectorAll('nav [data-stack]')].map((one) => one.dataset.stack)
  }

  // what a pane shows: 'image', 'tile' or what kind of document
  const show = async (stack) => {
    const entry = () => [...document.querySelectorAll('nav [data-stack]')].find((one) => one.dataset.stack === stack)
    entry().click()
    const what = await until('stack ' + stack, () => {
      const at = pane()
      // what refers to images is shown over those
      const over = at?.dataset.over && stack.endsWith('/' + at.dataset.over)
      if (at?.dataset.stack !== stack && !over) return null
      if (at.querySelector('[data-referring]')) return null
      if (at.querySelector('[data-tile]')) return 'tile: ' + at.querySelector('[data-tile]').innerText
      if (at.querySelector('iframe, video, [data-report]')) return 'document'
      return ready() && 'image'
    })
    await frames(3)
    return what
  }

  const composed = () => {
    const element = ready()
    const [image, layer] = [element.querySelector('canvas'), element.querySelector('canvas[data-layer]')]
    const canvas = new OffscreenCanvas(image.width, image.height)
    const context = canvas.getContext('2d', { willReadFrequently: true })
    context.drawImage(image, 0, 0)
    if (layer && layer.width === image.width) context.drawImage(layer, 0, 0)
    return context.getImageData(0, 0, canvas.width, canvas.height)
  }

  const rendered = async (address) => {
    const answer = await fetch(address, { headers: { Accept: 'image/png' } })
    if (!answer.ok) throw new Error('not rendered: ' + answer.status)
    const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: 'none' })
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    const context = canvas.getContext('2d', { willReadFrequently: true })
    context.drawImage(bitmap, 0, 0)
    return context.getImageData(0, 0, bitmap.width, bitmap.height)
  }

  // at one to one: the largest difference of a grey level, and the part of all pixels that are off by more than one
  const compare = async (query = null) => {
    document.querySelector('[aria-label="One to one"]').click()
    let corner = ''
    await until('the grid', async () => {
      const before = corner
      await frames(3)
      corner = ready()?.dataset.corner ?? ''
      return corner && corner === before && corner.split(',').every((value) => Math.abs(value - Math.round(value)) < 1e-3)
    })
    const element = ready()
    const address = element.dataset.frame
    const [left, top] = element.dataset.corner.split(',').map((value) => Math.round(value))
    const seen = composed()
    // a window that is on the screen and in no object is named
    const { window: named } = element.dataset
    const wanted = await rendered(address + '/rendered' + (query ?? (named ? '?window=' + named : '')))
    // where pixels are not square one side is stretched: without interpolation, the nearest
    const [across, down] = element.dataset.step.split(',').map(Number)
    const nearest = (at, step, count) => {
      const place = at / step
      // the edge between two pixels is nobody's
      return Math.abs(step - 1) > 1e-4 && Math.abs(place - Math.round(place)) * step < 0.1 ? -1 : place < count ? Math.floor(place) : -1
    }
    let most = 0
    let off = 0
    let count = 0
    for (let y = Math.max(top, 0); y < seen.height; y += 1) {
      const row = nearest(y + 0.5 - top, down, wanted.height)
      for (let x = Math.max(left, 0); x < seen.width && row >= 0; x += 1) {
        const column = nearest(x + 0.5 - left, across, wanted.width)
        if (column < 0) continue
        const [a, b] = [4 * (y * seen.width + x), 4 * (row * wanted.width + column)]
        let worst = 0
        for (let c = 0; c < 3; c += 1) worst = Math.max(worst, Math.abs(seen.data[a + c] - wanted.data[b + c]))
        most = Math.max(most, worst)
        off += worst > 1
        count += 1
      }
    }
    return { frame: address, most, off: off / Math.max(count, 1), count, picture: element.dataset.picture === 'true', window: element.dataset.window ?? '' }
  }

  const next = async () => {
    const before = ready()?.dataset.frame ?? pane().dataset.frame
    key('ArrowDown')
    return await until('the image behind ' + before, () => {
      if (pane().querySelector('[data-tile]')) return 'tile: ' + pane().querySelector('[data-tile]').innerText
      return ready() && ready().dataset.frame !== before && 'image'
    })
  }
  const title = () => [...pane().querySelectorAll('span')].map((one) => one.innerText).map((text) => /\b\d+\/(\d+)/.exec(text)).find(Boolean)

  // every stack of a study: what is shown of it, and how far the first frame of its objects is from the server's picture
  const walk = async (study, step) => {
    const found = []
    for (const stack of await open(study)) {
      const one = { stack, what: '', images: [] }
      found.push(one)
      try {
        one.what = await show(stack)
        if (one.what !== 'image' || pane().dataset.over) continue
        const count = Number(title()?.[1] ?? 1)
        // volumes begin in their middle
        if (count > 1) key('Home')
        if (count > 1) await until('the first image', () => /\b1\/\d+/.test(title()?.[0] ?? ''))
        await frames(2)
        const seen = new Set()
        for (let at = 0; at < count; at += 1) {
          const frame = (pane().querySelector('[data-frame]') ?? pane()).dataset.frame ?? ''
          const object = frame.split('/frames/')[0]
          if (ready() && !seen.has(object) && at % (count > 40 ? step : 1) === 0) one.images.push(await compare())
          if (!ready()) one.images.push({ frame, failed: true })
          seen.add(object)
          if (at + 1 < count) {
            const before = frame
            key('ArrowDown')
            await until('the image behind ' + before, () => (pane().querySelector('[data-frame]')?.dataset.frame ?? '') !== before)
          }
          // further frames of one object are of the same kind
          if (seen.size === 1 && at >= 2 && frame.split('/frames/')[0] === object && count > 40 && (pane().querySelector('[data-frame]')?.dataset.frame ?? '').startsWith(object + '/')) break
        }
      } catch (error) {
        one.what ||= 'error'
        one.error = String(error)
      }
    }
    return found
  }
  window.looking = { ready: () => Boolean(ready()), walk, open, show, compare, next, composed, rendered, until, frames, key }
})()
