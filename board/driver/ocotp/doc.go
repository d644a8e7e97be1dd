// Package ocotp reads the fuses of i.MX6UL, i.MX6ULL and i.MX6ULZ that say who a
// processor is: its number, and the addresses of its Ethernet ports.
//
// References: IMX6ULRM, chapters "On-Chip OTP Controller (OCOTP_CTRL)" and "Fusemap". The
// controller copies the fuses to shadow registers at reset; these are read.
package ocotp
