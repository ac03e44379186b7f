// stands in for xmlbuilder2, which vtk.js uses for writing XML files only
export const create = () => {
  throw new Error('XML is not written here')
}
export default { create }
