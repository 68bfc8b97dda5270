/** The way from the key `/` to the search field, which may be on a page that is yet to open. */

let isWanted = false

/** @param goThere opens the page that has the field, when this one has none. */
export function focusSearch(goThere: () => void): void {
  const field = document.querySelector<HTMLInputElement>('.page input[type="search"]')
  if (field) {
    field.focus()
    field.select()
    return
  }
  isWanted = true
  goThere()
}

/** Whether the field that has just appeared is the one that was asked for. */
export function takeSearchWish(): boolean {
  const was = isWanted
  isWanted = false
  return was
}
