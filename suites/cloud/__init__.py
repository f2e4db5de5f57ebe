"""Two hosts of one provider: does everything get through between them, both ways, unchanged?"""
