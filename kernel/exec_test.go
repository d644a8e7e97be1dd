//go:build !arm

package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ingot.dev/kernel/bootparam"
)

func eqStrings(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// parseStack reads the first thread's stack as a program does.
func parseStack(m *machineUnderTest) (argv, env []string, aux map[uint32]uint32) {
	m.t.Helper()
	sp := m.threads[0].R[13]
	if sp&7 != 0 {
		m.t.Errorf("sp is %#x", sp)
	}
	next := func() uint32 {
		w := m.peek(sp)
		sp += 4
		return w
	}
	argc := next()
	for range argc {
		argv = append(argv, m.peekString(next()))
	}
	if next() != 0 {
		m.t.Fatal("no 0 behind the arguments")
	}
	for p := next(); p != 0; p = next() {
		env = append(env, m.peekString(p))
	}
	aux = map[uint32]uint32{}
	for tag := next(); tag != atNull; tag = next() {
		if _, twice := aux[tag]; twice {
			m.t.Errorf("auxiliary entry %d twice", tag)
		}
		aux[tag] = next()
	}
	return argv, env, aux
}

func TestStackLayout(t *testing.T) {
	long := "LONG=" + strings.Repeat("x", 5000)
	for _, p := range []bootparam.Params{
		{},
		{Args: []string{"one"}},
		{Args: []string{"one", ""}, Env: []string{"A=b"}},
		fullParams,
		{Env: []string{long, "B="}},
	} {
		m := &machineUnderTest{Kernel: bootKernel(findParams(encode(t, p))), t: t}
		argv, env, aux := parseStack(m)
		eqStrings(t, "arguments", argv, append([]string{"test"}, p.Args...))
		source := "INGOT_ENTROPY="
		if len(p.Seed) > 0 {
			source += "boot parameters"
		}
		eqStrings(t, "source of random numbers", env[:1], []string{source})
		env = env[1:]
		if len(env) != len(p.Env)+4 || !slices.Equal(env[:len(p.Env)], p.Env) {
			t.Errorf("environment %q, want %q and the defaults", env, p.Env)
		}
		limit := m.frames.limit >> 8
		eqStrings(t, "defaults", env[len(p.Env):],
			[]string{"GODEBUG=madvdontneed=1", "GOMAXPROCS=2", fmt.Sprintf("GOMEMLIMIT=%dMiB", limit-limit>>3), "GOGC=200"})
		eq(t, "auxiliary entries", len(aux), 5)
		eq(t, "page size", aux[atPagesz], pageSize)
		eq(t, "platform", m.peekString(aux[atPlatform]), "v7l")
		eq(t, "vDSO", aux[atSysinfoEhdr], vdsoPage)
		const needed = 1<<6 | 1<<13 | 1<<17 | 1<<20
		if aux[atHwcap]&needed != needed {
			t.Errorf("HWCAP %#x", aux[atHwcap])
		}
		if r := m.peekBytes(aux[atRandom], 16); slices.Max(r) == 0 {
			t.Error("AT_RANDOM is zero")
		}
		th := &m.threads[0]
		if th.CPSR != cpsrUser || th.R[13] < stackEnd-stackSize+65536 {
			t.Errorf("cpsr %#x, sp %#x", th.CPSR, th.R[13])
		}
	}
	// More than there is room for: the first ones count, and the defaults are there.
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("V%d=%d", i, i))
	}
	m := &machineUnderTest{Kernel: bootKernel(findParams(encode(t, bootparam.Params{Env: many, Args: many}))), t: t}
	argv, env, _ := parseStack(m)
	eqStrings(t, "arguments", argv[1:], many[:63])
	eqStrings(t, "environment", env[1:61], many[:60])
	eq(t, "with source and defaults", len(env), 65)
	// A loader can't say otherwise: the first definition counts.
	liar := bootparam.Params{Env: []string{"INGOT_ENTROPY=the stars"}}
	_, env, _ = parseStack(&machineUnderTest{Kernel: bootKernel(findParams(encode(t, liar))), t: t})
	eqStrings(t, "source of random numbers", env[:1], []string{"INGOT_ENTROPY="})
}
