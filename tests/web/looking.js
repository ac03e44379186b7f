// What a page of the viewer tells of itself: given to it by looking.py.
(() => {
  const until = async (what, found, patience = 60000) => {
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

  // the rows of a study whose number several patients have; [0] where it is one patient's
  const rowsOf = async (study) => {
    const { under } = await (await fetch('/api/studies/' + study)).json()
    return under.length > 1 ? under.map((one) => one.row) : [0]
  }

  const open = async (study, row = 0) => {
    if (row) {
      history.pushState({}, '', '/studies')
      await until('the list of studies', () => !document.querySelector('section[data-active]'))
    }
    history.pushState({}, '', '/view/' + study + (row ? '?row=' + row : ''))
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
    return await pixels(answer)
  }
  const picture = async (text) => pixels(new Response(Uint8Array.from(atob(text.split(',')[1]), (one) => one.charCodeAt(0))))
  const pixels = async (answer) => {
    const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: 'none' })
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    const context = canvas.getContext('2d', { willReadFrequently: true })
    context.drawImage(bitmap, 0, 0)
    return context.getImageData(0, 0, bitmap.width, bitmap.height)
  }

  // the largest difference of a grey level between the canvas and a picture, and the part of all pixels that are off by more than one
  const differences = (seen, wanted, [left, top], [across, down]) => {
    // where pixels are not square one side is stretched: without interpolation, the nearest
    const nearest = (at, step, count) => {
      const place = at / step
      // the end of the image may lie within a pixel of the screen, and the edge between two of its pixels is nobody's
      if (at + 0.5 > count * step + 1e-3) return -1
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
    return { most, off: off / Math.max(count, 1), count }
  }

  // which pixel is where on the screen: on its own grid, and the same for three frames
  const ofScreen = (text) => text.split(',').map((value) => value * devicePixelRatio)
  const onGrid = (element) => {
    if (!element?.dataset.corner) return false
    const whole = (value) => Math.abs(value - Math.round(value)) < 2e-3
    return ofScreen(element.dataset.corner).every(whole) && Math.abs(ofScreen(element.dataset.step)[1] - 1) < 1e-3
  }
  let placed = null

  // at one to one, beside the server's picture of the image and, where there is one, somebody else's
  const compare = async (query = null, other = null) => {
    const others = other && (await picture('data:image/png;base64,' + other))
    let found
    let address = ''
    let wanted
    let before = ''
    // on a busy machine what was asked for is drawn later, in the middle of this: it is over when nothing changes any more
    for (let same = 0; same < 3; ) {
      if (found) await frames(8)
      await until('an image', ready)
      if (placed !== ready() || !onGrid(placed)) {
        document.querySelector('[aria-label="One to one"]').click()
        let corner = ''
        await until('the grid', async () => {
          const before = corner
          await frames(3)
          corner = ready()?.dataset.corner ?? ''
          return corner && corner === before && onGrid(ready())
        })
        placed = ready()
      } else if (!found) await frames(3)
      const element = placed
      const { frame, window: named } = element.dataset
      // a window that is on the screen and in no object is named
      const now = frame + '/rendered' + (query ?? (named ? '?window=' + named : ''))
      if (now !== address) wanted = await rendered(now)
      if (element !== ready() || element.dataset.frame !== frame) continue
      const corner = ofScreen(element.dataset.corner).map((value) => Math.round(value))
      const step = ofScreen(element.dataset.step)
      const seen = composed()
      address = now
      found = { frame, ...differences(seen, wanted, corner, step), picture: element.dataset.picture === 'true', window: named ?? '' }
      if (others) found.other = differences(seen, others, corner, step)
      if (found.most <= 1) break
      const drawn = [now, corner, step, seen.data.reduce((sum, value) => (sum * 31 + value) | 0, 0)].join()
      same = drawn === before ? same + 1 : 0
      before = drawn
    }
    return found
  }

  const next = async () => {
    const before = ready()?.dataset.frame ?? pane().dataset.frame
    key('ArrowDown')
    return await until('the image behind ' + before, () => {
      if (pane().querySelector('[data-tile]')) return 'tile: ' + pane().querySelector('[data-tile]').innerText
      return ready() && ready().dataset.frame !== before && 'image'
    })
  }
  // [which image, of how many] the corner of the pane says
  const counted = () => {
    const texts = [...pane().querySelectorAll('span')].map((one) => one.innerText)
    const found = texts.map((text) => /^(?:Image|图像)\s+(\d+)\/(\d+)/.exec(text)).find(Boolean)
    return found ? [Number(found[1]), Number(found[2])] : [1, 1]
  }
  const shown = () => (pane().querySelector('[data-frame]') ?? pane()).dataset.frame ?? ''

  // every stack of a study: what is shown of it, and how far the first frame of its objects is from the server's picture
  // and from `pictures`, by SOP Instance UID; of long stacks every so many images
  const walk = async (study, step, pictures = {}) => {
    const found = []
    for (const row of await rowsOf(study)) await walkRow(study, row, step, pictures, found)
    return found
  }
  const walkRow = async (study, row, step, pictures, found) => {
    for (const stack of await open(study, row)) {
      const one = { stack, what: '', images: [] }
      found.push(one)
      try {
        one.what = await show(stack)
        // one image that cannot be had is not the others of its stack
        if (!pane().querySelector('[data-frame]') || pane().dataset.over) continue
        const count = counted()[1]
        // volumes begin in their middle
        if (counted()[0] !== 1) key('Home')
        const seen = new Set()
        for (let at = 1; ; at = Math.min(at + (count > 40 ? step : 1), count)) {
          await until('image ' + at + ' of ' + stack, () => counted()[0] === at && (ready() || pane().querySelector('[data-tile]')))
          await frames(2)
          const frame = shown()
          const object = frame.split('/frames/')[0]
          if (!ready()) one.images.push({ frame, failed: true })
          else if (!seen.has(object)) {
            // those of a long stack are of one kind
            const alike = count > 12 && at > 1 && at < count && at % 8
            one.images.push(alike ? { frame, drawn: true } : await compare(null, pictures[object.split('/instances/')[1]]))
          }
          seen.add(object)
          if (at >= count) break
          for (let to = Math.min(at + (count > 40 ? step : 1), count); to > at; to -= 1) key('ArrowDown')
        }
      } catch (error) {
        one.what ||= 'error'
        one.error = `${error} (${[pane().dataset.stack, counted(), ready()?.dataset.corner, shown()].join('; ')})`
      }
    }
  }
  window.looking = { ready: () => Boolean(ready()), walk, open, show, compare, next, composed, rendered, until, frames, key }
})()
