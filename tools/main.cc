// The foldlog program. Everything is in tools/cli/.

#include "tools/cli/app.h"

int main(int argc, char** argv) { return foldlog::cli::RunProgram(argc, argv); }
