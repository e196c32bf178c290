"""Music: where its beats are, and a dance whose movements fall on them. Arrays alone: no file is read here."""
