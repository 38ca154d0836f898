// CPU features by number: word * 32 + bit, the words being CPUID's registers. Shared by the core (which
// compiles this file too) and TypeScript: no types.

export const FEATURE_WORDS = 8;

// Word 0: CPUID.1 EDX
export const FEATURE_FPU = 0;
export const FEATURE_VME = 1;
export const FEATURE_DE = 2;
export const FEATURE_PSE = 3;
export const FEATURE_TSC = 4;
export const FEATURE_MSR = 5;
export const FEATURE_PAE = 6;
export const FEATURE_MCE = 7;
export const FEATURE_CX8 = 8;
export const FEATURE_APIC = 9;
export const FEATURE_SEP = 11;
export const FEATURE_MTRR = 12;
export const FEATURE_PGE = 13;
export const FEATURE_MCA = 14;
export const FEATURE_CMOV = 15;
export const FEATURE_PAT = 16;
export const FEATURE_PSE36 = 17;
export const FEATURE_CLFLUSH = 19;
export const FEATURE_MMX = 23;
export const FEATURE_FXSR = 24;
export const FEATURE_SSE = 25;
export const FEATURE_SSE2 = 26;
export const FEATURE_HTT = 28;

// Word 1: CPUID.1 ECX
export const FEATURE_SSE3 = 32;
export const FEATURE_PCLMULQDQ = 33;
export const FEATURE_MONITOR = 35;
export const FEATURE_SSSE3 = 41;
export const FEATURE_FMA = 44;
export const FEATURE_CX16 = 45;
export const FEATURE_PCID = 49;
export const FEATURE_SSE4_1 = 51;
export const FEATURE_SSE4_2 = 52;
export const FEATURE_X2APIC = 53;
export const FEATURE_MOVBE = 54;
export const FEATURE_POPCNT = 55;
export const FEATURE_TSC_DEADLINE = 56;
export const FEATURE_AES = 57;
export const FEATURE_XSAVE = 58;
export const FEATURE_OSXSAVE = 59;
export const FEATURE_AVX = 60;
export const FEATURE_F16C = 61;
export const FEATURE_RDRAND = 62;
export const FEATURE_HYPERVISOR = 63;

// Word 2: CPUID.7.0 EBX
export const FEATURE_FSGSBASE = 64;
export const FEATURE_TSC_ADJUST = 65;
export const FEATURE_BMI1 = 67;
export const FEATURE_AVX2 = 69;
export const FEATURE_FDP_EXCPTN_ONLY = 70;
export const FEATURE_SMEP = 71;
export const FEATURE_BMI2 = 72;
export const FEATURE_ERMS = 73;
export const FEATURE_INVPCID = 74;
export const FEATURE_ZERO_FCS_FDS = 77;
export const FEATURE_RDSEED = 82;
export const FEATURE_ADX = 83;
export const FEATURE_SMAP = 84;
export const FEATURE_CLFLUSHOPT = 87;
export const FEATURE_CLWB = 88;
export const FEATURE_SHA = 93;

// Word 3: CPUID.7.0 ECX
export const FEATURE_UMIP = 98;
export const FEATURE_PKU = 99;
export const FEATURE_OSPKE = 100;
export const FEATURE_VAES = 105;
export const FEATURE_VPCLMULQDQ = 106;
export const FEATURE_LA57 = 112;
export const FEATURE_RDPID = 118;
export const FEATURE_PKS = 127;

// Word 4: CPUID.7.0 EDX
export const FEATURE_FSRM = 132;

// Word 5: CPUID.80000001 EDX
export const FEATURE_SYSCALL = 171;
export const FEATURE_NX = 180;
export const FEATURE_MMXEXT = 182;
export const FEATURE_FFXSR = 185;
export const FEATURE_PAGE1GB = 186;
export const FEATURE_RDTSCP = 187;
export const FEATURE_LM = 189;
export const FEATURE_3DNOWEXT = 190;
export const FEATURE_3DNOW = 191;

// Word 6: CPUID.80000001 ECX
export const FEATURE_LAHF64 = 192;
export const FEATURE_SVM = 194;
export const FEATURE_EXTAPIC = 195;
export const FEATURE_CR8_LEGACY = 196;
export const FEATURE_LZCNT = 197;
export const FEATURE_SSE4A = 198;
export const FEATURE_MISALIGNSSE = 199;
export const FEATURE_PREFETCHW = 200;
export const FEATURE_TOPOEXT = 214;

// Word 7: CPUID.D.1 EAX
export const FEATURE_XSAVEOPT = 224;
export const FEATURE_XSAVEC = 225;
export const FEATURE_XGETBV1 = 226;
export const FEATURE_XSAVES = 227;
