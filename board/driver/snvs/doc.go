// Package snvs drives the clock of i.MX6UL, i.MX6ULL and i.MX6ULZ that goes on without the
// processor: the secure real-time counter (SRTC) in the low-power part of SNVS, for as long
// as its supply, usually a coin cell, lasts.
//
// Reference: IMX6ULRM, chapter "Secure Non-Volatile Storage (SNVS)". The counter has 47
// bits and counts 32,768 a second; like Linux's driver this one has it count from 1970.
package snvs
