import { type ThemeConfig, theme } from 'antd'
import { dark, light, lineHeight, monoFamily, size } from './tokens.ts'

/**
 * antd dressed in our tokens. Components we do not use are not tuned.
 * @param isStill the reader asked their system for less motion.
 */
export function antdTheme(isDark: boolean, isStill: boolean): ThemeConfig {
  const palette = isDark ? dark : light
  return {
    algorithm: isDark ? theme.darkAlgorithm : theme.defaultAlgorithm,
    token: {
      colorPrimary: palette.accent,
      colorPrimaryHover: palette.accentHover,
      colorPrimaryActive: palette.accentHover,
      colorTextLightSolid: palette.onAccent,
      colorLink: palette.accent,
      colorLinkHover: palette.accentHover,
      colorError: palette.harm,
      colorErrorText: palette.harm,
      colorText: palette.ink,
      colorTextHeading: palette.ink,
      colorTextSecondary: palette.inkSoft,
      colorTextTertiary: palette.inkSoft,
      colorTextDescription: palette.inkSoft,
      colorTextPlaceholder: palette.inkFaint,
      colorBgBase: palette.surface,
      colorBgContainer: palette.surface,
      colorBgElevated: palette.surface,
      colorBgLayout: palette.ground,
      colorBgMask: palette.veil,
      colorBorder: palette.lineStrong,
      colorBorderSecondary: palette.line,
      colorSplit: palette.line,
      fontFamily: 'var(--font)',
      fontFamilyCode: monoFamily,
      fontSize: size.base,
      fontSizeSM: size.small,
      fontSizeLG: size.large,
      lineHeight,
      borderRadius: 6,
      controlHeight: 34,
      motion: !isStill,
      // Calm: things appear, they do not fly.
      motionDurationSlow: '0.16s',
      motionDurationMid: '0.12s',
    },
    components: {
      Button: {
        primaryShadow: 'none',
        defaultShadow: 'none',
        fontWeight: 500,
        // Without a frame the colour alone says that something can be done here.
        textTextColor: palette.accent,
        textTextHoverColor: palette.accentHover,
        textTextActiveColor: palette.accentHover,
      },
    },
  }
}
