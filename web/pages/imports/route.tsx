import { getRouteApi } from '@tanstack/react-router'
import { Imports } from './Imports.tsx'
import { UploadPage } from './UploadPage.tsx'

const uploadRoute = getRouteApi('/shell/import/$upload_id')

export function ImportsRoute() {
  return <Imports />
}

export function UploadRoute() {
  const { upload_id: uploadId } = uploadRoute.useParams()
  // Another file is another page: nothing that was chosen for the one before stays.
  return <UploadPage key={uploadId} uploadId={uploadId} />
}
