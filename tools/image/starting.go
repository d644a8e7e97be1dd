package image

// What takes memory or time when a program starts, and is there for those who may come to
// need it. Each of these cuts leaves it until then. Figures are instructions of a boot of
// the default firmware on the imx6ulevk.
var starting = []cut{
	{
		// 32 MB of zeroed variables, which count as memory that the program uses, and
		// which loaders fill with zeros. The source of entropy of FIPS 140 mode has
		// its accesses timed there.
		name:  "memory of the jitter of FIPS 140",
		files: []string{"crypto/internal/fips140/drbg/entropy_fips140.go"},
		edits: []edit{
			{"import entropy \"crypto/internal/entropy/v1.0.0\"\n", "import (entropy \"crypto/internal/entropy/v1.0.0\"; \"sync\")\n"},
			{
				"var memory entropy.ScratchBuffer\n",
				"var memoryOnce sync.Once; var scratch *entropy.ScratchBuffer; func memory() *entropy.ScratchBuffer { memoryOnce.Do(func() { scratch = new(entropy.ScratchBuffer) }); return scratch }\n",
			},
			{"seed, err := entropy.Seed(&memory)", "seed, err := entropy.Seed(memory())"},
			{"seed, err = entropy.Seed(&memory)", "seed, err = entropy.Seed(memory())"},
		},
	},
	{
		// 500,000: two square roots. One is that of the base point of Ed25519, for the
		// first who computes with it; the other is 0.
		name:  "points of Ed25519",
		files: []string{"crypto/internal/fips140/edwards25519/edwards25519.go"},
		edits: []edit{
			{"\t\"errors\"\n", "\t\"errors\"; \"sync\"\n"},
			{
				"var identity, _ = new(Point).SetBytes([]byte{\n",
				"var identity = func() *Point { p := new(Point); p.y.One(); p.z.One(); return p }(); var _ = ([]byte{\n",
			},
			{"\treturn new(Point).Set(generator)\n", "\tgeneratorOnce.Do(func() { generator = makeGenerator() }); return new(Point).Set(generator)\n"},
			{
				"var generator, _ = new(Point).SetBytes([]byte{\n",
				"var generatorOnce sync.Once; var generator *Point; func makeGenerator() *Point { p, err := new(Point).SetBytes(encodedGenerator[:]); if err != nil { panic(err) }; return p }; var encodedGenerator = ([32]byte{\n",
			},
		},
	},
	{
		// 250,000: the parameters of four curves, from decimal text. Now each curve's
		// are read for who asks for it.
		name:  "curves that nobody asked for",
		files: []string{"crypto/elliptic/elliptic.go"},
		edits: []edit{
			{"var initonce sync.Once\n", "var once224, once256, once384, once521 sync.Once\n"},
			{"\tinitonce.Do(initAll)\n\treturn p224\n", "\tonce224.Do(initP224)\n\treturn p224\n"},
			{"\tinitonce.Do(initAll)\n\treturn p256\n", "\tonce256.Do(initP256)\n\treturn p256\n"},
			{"\tinitonce.Do(initAll)\n\treturn p384\n", "\tonce384.Do(initP384)\n\treturn p384\n"},
			{"\tinitonce.Do(initAll)\n\treturn p521\n", "\tonce521.Do(initP521)\n\treturn p521\n"},
		},
	},
	{
		// 4 KB of random numbers, drawn to see whether they can be had that way, and
		// overwritten with others.
		name:   "gVisor's random numbers that nobody gets",
		module: gvisor,
		files:  []string{"pkg/rand/rand_linux.go"},
		edits: []edit{{
			"\t\t_, err := unix.Getrandom(p, 0)\n",
			"\t\t_, err := unix.Getrandom(p[:0], 0)\n",
		}},
	},
}
