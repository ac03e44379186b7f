/** What a browser says of itself, shortened to what people call it. */
export function browserWords(agent: string): string {
  const names: [RegExp, string][] = [
    [/Edg\/(\d+)/, 'Edge'],
    [/OPR\/(\d+)/, 'Opera'],
    [/Firefox\/(\d+)/, 'Firefox'],
    [/Chrome\/(\d+)/, 'Chrome'],
    [/Version\/(\d+).*Safari/, 'Safari'],
  ]
  const systems: [RegExp, string][] = [
    [/Android/, 'Android'],
    [/iPhone|iPad/, 'iOS'],
    [/Windows/, 'Windows'],
    [/Mac OS X/, 'macOS'],
    [/Linux/, 'Linux'],
  ]
  const found = names.map(([pattern, name]) => [name, pattern.exec(agent)?.[1]]).find(([, version]) => version)
  if (!found) return agent.slice(0, 60)
  const system = systems.find(([pattern]) => pattern.test(agent))?.[1]
  return [found.join(' '), system].filter(Boolean).join(' · ')
}
