// Package flash puts images on SD cards and eMMC, or a file that stands for one, and into
// boards that wait for a serial download.
//
// A block device is looked at before it is written ([System.Inspect], [Target.Check]): a
// partition is not a card, a disk that is in use or not removable is hardly meant, and the
// one that the running system is on never is. What was written is read back ([Write]).
package flash
