import type { ErrorComponentProps } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { ProblemPanel } from '../../ui/ProblemPanel.tsx'

/** What a page shows that failed while being drawn or fetched; the rail stays, and every other page works. */
export function PageProblem({ error }: ErrorComponentProps) {
  const { t } = useTranslation()
  return (
    <ProblemPanel
      title={t('problem.page')}
      error={error}
      kept={t('problem.kept')}
      // Not only drawn anew: after an update the page's code has another name, and the old one is gone.
      onRetry={() => window.location.reload()}
      retrying={false}
    />
  )
}
