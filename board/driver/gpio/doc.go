// Package gpio drives pins of i.MX6UL, i.MX6ULL and i.MX6ULZ as outputs. A bank has 32 of
// them; the board's pads must be set to it (ALT5).
//
// Reference: IMX6ULRM, chapter "General Purpose Input/Output (GPIO)".
package gpio
