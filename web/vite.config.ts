import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

import { precompressed } from './precompressed.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  plugins: [react(), precompressed()],
  resolve: {
    // vtk.js needs it for writing XML only, and it needs Node's events (xmlbuilder2#216)
    alias: { xmlbuilder2: here('./src/viewing/no-xml.ts') },
  },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    outDir: here('../src/filmless/app/static'),
    emptyOutDir: true,
    assetsDir: 'assets',
    chunkSizeWarningLimit: 6000,
    rolldownOptions: { checks: { bundlerTimings: false } },
  },
  optimizeDeps: {
    // without these the development server's decode workers never answer
    exclude: ['@cornerstonejs/dicom-image-loader'],
    include: [
      'dicom-parser',
      'pako',
      'uuid',
      'comlink',
      '@cornerstonejs/codec-openjph/wasmjs',
      '@cornerstonejs/codec-openjpeg/decodewasmjs',
      '@cornerstonejs/codec-charls/decodewasmjs',
      '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs',
      '@cornerstonejs/codec-libjxl/decodewasmjs',
    ],
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': 'http://127.0.0.1:8104', '/dicom-web': 'http://127.0.0.1:8104' },
  },
})
