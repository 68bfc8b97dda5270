import { useQuery } from '@tanstack/react-query'
import { Input } from 'antd'
import { useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Tag, TagList } from '../../api/queries.ts'
import { segmentsQuery } from '../../api/segment-queries.ts'
import { DecideDialog } from '../../ui/DecideDialog.tsx'
import { useSaveGroup, useSaveTag } from './tag-changes.ts'

type Group = Pick<TagList['groups'][number], 'group_id' | 'name'>
type Fades = 'never' | 'life' | 'half_life'

const NAME_LENGTH_MAX = 60
const DESCRIPTION_LENGTH_MAX = 500
const DAYS_MAX = 3650
const DEFAULT_DAYS = 90

/** A new group, or another name for one. */
export function GroupDialog({ group, onClose }: { group: Group | undefined; onClose: () => void }) {
  const { t } = useTranslation()
  const save = useSaveGroup(group?.group_id, onClose)
  const [name, setName] = useState(group?.name ?? '')
  return (
    <DecideDialog
      title={group ? t('tags.rename_which', { group: group.name }) : t('tags.new_group')}
      words={[]}
      okText={t('tags.save')}
      isOkDisabled={name.trim() === ''}
      decision={save}
      onOk={() => save.mutate(name.trim())}
      onClose={onClose}
    >
      <Field label={t('tags.name')} value={name} onChange={setName} lengthMax={NAME_LENGTH_MAX} />
    </DecideDialog>
  )
}

interface TagDialogProps {
  tag: Tag | undefined
  groups: readonly Group[]
  onClose: () => void
}

/** A new tag, or what is to change of one. */
export function TagDialog({ tag, groups, onClose }: TagDialogProps) {
  const { t } = useTranslation()
  const save = useSaveTag(tag, onClose)
  const { data: listed } = useQuery(segmentsQuery)
  const [name, setName] = useState(tag?.name ?? '')
  const [groupId, setGroupId] = useState(tag?.group_id ? String(tag.group_id) : '')
  const [description, setDescription] = useState(tag?.description ?? '')
  const [fades, setFades] = useState<Fades>(tag?.life_days ? 'life' : tag?.half_life_days ? 'half_life' : 'never')
  const [ruleId, setRuleId] = useState(tag?.rule_segment_id ? String(tag.rule_segment_id) : '')
  const [days, setDays] = useState(String(tag?.life_days ?? tag?.half_life_days ?? DEFAULT_DAYS))
  const fading = ruleId === '' ? fades : 'never'
  const isWhole = /^\d{1,4}$/.test(days) && Number(days) >= 1 && Number(days) <= DAYS_MAX
  return (
    <DecideDialog
      title={tag ? t('tags.change_which', { tag: tag.name }) : t('tags.new')}
      words={[]}
      okText={t('tags.save')}
      isOkDisabled={name.trim() === '' || (fading !== 'never' && !isWhole)}
      decision={save}
      onOk={() =>
        save.mutate({
          name: name.trim(),
          group_id: groupId === '' ? null : Number(groupId),
          description: description.trim() === '' ? null : description.trim(),
          life_days: fading === 'life' ? Number(days) : null,
          half_life_days: fading === 'half_life' ? Number(days) : null,
          rule_segment_id: ruleId === '' ? null : Number(ruleId),
        })
      }
      onClose={onClose}
    >
      <Field label={t('tags.name')} value={name} onChange={setName} lengthMax={NAME_LENGTH_MAX} />
      <label className="choice">
        <span>{t('tags.group')}</span>
        <select value={groupId} onChange={(event) => setGroupId(event.target.value)}>
          <option value="">{t('tags.ungrouped')}</option>
          {groups.map((group) => (
            <option key={group.group_id} value={group.group_id}>
              {group.name}
            </option>
          ))}
        </select>
      </label>
      <Field
        label={t('tags.description')}
        value={description}
        onChange={setDescription}
        lengthMax={DESCRIPTION_LENGTH_MAX}
      />
      <label className="choice">
        <span>{t('tags.rule_choice')}</span>
        <select value={ruleId} onChange={(event) => setRuleId(event.target.value)}>
          <option value="">{t('tags.rule_none')}</option>
          {listed?.segments.map(({ segment_id, name: segment }) => (
            <option key={segment_id} value={segment_id}>
              {segment}
            </option>
          ))}
        </select>
      </label>
      {ruleId !== '' ? (
        <p className="soft">{t('tags.rule_words')}</p>
      ) : (
        <div className="tag-fades">
          <label className="choice">
            <span>{t('tags.fades')}</span>
            <select value={fades} onChange={(event) => setFades(fadesOf(event.target.value))}>
              <option value="never">{t('tags.fades_never')}</option>
              <option value="life">{t('tags.fades_life')}</option>
              <option value="half_life">{t('tags.fades_half_life')}</option>
            </select>
          </label>
          {fading !== 'never' && <Field label={t('tags.days')} value={days} onChange={setDays} lengthMax={4} />}
        </div>
      )}
    </DecideDialog>
  )
}

function fadesOf(value: string): Fades {
  return value === 'life' || value === 'half_life' ? value : 'never'
}

interface FieldProps {
  label: string
  value: string
  onChange: (value: string) => void
  lengthMax: number
}

function Field({ label, value, onChange, lengthMax }: FieldProps) {
  const id = useId()
  return (
    <div className="tag-field">
      <label htmlFor={id}>{label}</label>
      <Input
        id={id}
        value={value}
        maxLength={lengthMax}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  )
}
