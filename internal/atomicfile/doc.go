// Package atomicfile writes files so that nobody finds half of one: under another name,
// in the same folder, and renamed when they are whole. [Write] writes one file; a [Tree]
// is files and folders that belong together, such as a certificate and its key, and
// appear together or not at all.
//
// What a process leaves behind that is killed meanwhile has a name that begins with
// ".ingot-new-", and is removed by the next one that writes there: a lock (flock(2))
// tells what still has an owner from what hasn't.
package atomicfile
