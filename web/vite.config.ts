import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import type { InlineConfig, Plugin } from 'vite'
import { tokensCss } from './ui/tokens.ts'

const here = import.meta.dirname

/** The tokens go into the page itself: the very first paint has the right ground, light or dark. */
const tokens: Plugin = {
  name: 'perennial-tokens',
  transformIndexHtml: () => [{ tag: 'style', children: tokensCss(), injectTo: 'head-prepend' }],
}

const config: InlineConfig = {
  configFile: false,
  root: here,
  cacheDir: join(here, '../node_modules/.vite'),
  plugins: [react(), tokens],
  logLevel: 'warn',
  build: {
    outDir: join(here, 'dist'),
    target: ['chrome111', 'safari16.4', 'firefox115'],
    // The policy is script-src 'self': nothing may be inlined as a data: or inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/, priority: 30 },
            { name: 'tanstack', test: /node_modules[\\/]@tanstack[\\/]/, priority: 20 },
            { name: 'i18n', test: /node_modules[\\/](i18next|react-i18next)[\\/]/, priority: 20 },
            // Only pages with a chart load it.
            { name: 'echarts', test: /node_modules[\\/](echarts|zrender|tslib)[\\/]/, priority: 20 },
            {
              name: 'antd',
              test: /node_modules[\\/](antd|@ant-design|@rc-component|@emotion|stylis)[\\/]/,
              priority: 10,
            },
          ],
        },
      },
    },
  },
}

export default config
